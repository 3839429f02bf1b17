// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "tessera/core/check.hpp"
#include "tessera/core/error.hpp"
#include "tessera/solver/clamp_range.hpp"
#include "tessera/solver/log_spaced.hpp"
#include "tessera/solver/solver.hpp"
#include "tessera/solver/stopwatch.hpp"

namespace tessera {

/// Per-iteration parameters of half-quadratic splitting.
struct HqsSchedule {
  std::vector<double> denoiser_sigma;  ///< noise level of the prior step, intensities 0 to 1; > 0
  std::vector<double> gamma;           ///< step of the fidelity's proximal operator, > 0

  /// The schedule of DPIR (Zhang et al., "Plug-and-Play image restoration with deep denoiser
  /// prior", TPAMI 44, 2022): denoiser levels log-spaced from 49/255 down to `noise_sigma`, and
  /// gamma_k = (1 / prior_weight) (sigma_k / max(0.01, noise_sigma))^2 for a fidelity
  /// 0.5 ||A x - y||^2. The paper's weight, lambda there, is 0.23.
  /// Throws error::InvalidArgument unless the weight and the noise are positive and finite.
  static HqsSchedule dpir(double noise_sigma, std::int64_t iterations, double prior_weight = 0.23);
};

struct HqsOptions {
  HqsSchedule schedule = {};
  /// Every iterate is clamped to this range, if there is one.
  ClampRange clamp_range = {};
  /// max_iterations is replaced by the length of the schedule.
  StoppingRules stopping = {};
};

/// Half-quadratic splitting: x <- prox_prior(prox_f(x, gamma_k), sigma_k^2), with a prior that
/// denoises at level sqrt(step), such as PlugAndPlay::matched; one that does not follow the step
/// (Prior::follows_step) is refused.
template <FidelityLike Fidelity, PriorLike P>
class HQS : public Solver {
 public:
  /// `fidelity` and `prior` must outlive the solver.
  HQS(const Fidelity& fidelity, const P& prior, HqsOptions options)
      : Solver(rules(options)), fidelity_(&fidelity), prior_(&prior), options_(std::move(options)) {
    if (!follows_step(prior)) {
      throw error::InvalidArgument(
          "hqs: the schedule has a level for each iteration, and the prior ignores it, because its "
          "level is fixed or its denoiser takes none; use a prior that follows the step, such as "
          "PlugAndPlay::matched");
    }
    if (options_.clamp_range) check_range(*options_.clamp_range, "hqs", "clamp_range");
  }

  std::string name() const override { return "hqs"; }
  const HqsOptions& options() const { return options_; }

 private:
  static StoppingRules rules(const HqsOptions& options) {
    const HqsSchedule& schedule = options.schedule;
    if (schedule.gamma.size() != schedule.denoiser_sigma.size() || schedule.gamma.empty()) {
      throw error::InvalidArgument(
          "hqs: the schedule needs as many denoiser levels as gammas, got " +
          std::to_string(schedule.denoiser_sigma.size()) + " and " +
          std::to_string(schedule.gamma.size()));
    }
    for (const double sigma : schedule.denoiser_sigma) {
      check_positive(sigma, "hqs", "every denoiser_sigma of the schedule");
    }
    for (const double gamma : schedule.gamma) {
      check_positive(gamma, "hqs", "every gamma of the schedule");
    }
    StoppingRules rules = options.stopping;
    rules.max_iterations = static_cast<std::int64_t>(schedule.gamma.size());
    return rules;
  }

  void do_step(SolverState& state, StepTimes& times) const override {
    const auto k = static_cast<std::size_t>(state.iterations);
    const double gamma = options_.schedule.gamma.at(k);
    const double sigma = options_.schedule.denoiser_sigma.at(k);
    Tensor z = timed(times.gradient, [&] { return fidelity_->prox(state.x, gamma); });
    state.x = timed(times.prior,
                    [&] { return clamped(prior_->prox(z, sigma * sigma), options_.clamp_range); });
  }

  Communicator& do_communicator() const override { return ranks_of(*fidelity_, *prior_); }
  const ImageSpace& do_space() const override { return space_of(*fidelity_, *prior_); }

  const Fidelity* fidelity_;
  const P* prior_;
  HqsOptions options_;
};

inline HqsSchedule HqsSchedule::dpir(double noise_sigma, std::int64_t iterations,
                                     double prior_weight) {
  check_positive(noise_sigma, "HqsSchedule::dpir", "noise_sigma");
  check_positive(prior_weight, "HqsSchedule::dpir", "prior_weight");
  constexpr double first = 49.0 / 255.0;
  HqsSchedule schedule;
  schedule.denoiser_sigma = log_spaced(first, noise_sigma, iterations);
  for (const double sigma : schedule.denoiser_sigma) {
    schedule.gamma.push_back(std::pow(sigma / std::max(0.01, noise_sigma), 2) / prior_weight);
  }
  return schedule;
}

}  // namespace tessera
