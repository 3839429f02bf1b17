// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "tessera/core/check.hpp"
#include "tessera/core/error.hpp"
#include "tessera/solver/clamp_range.hpp"
#include "tessera/solver/default_step.hpp"
#include "tessera/solver/solver.hpp"
#include "tessera/solver/stopwatch.hpp"

namespace tessera {

struct PnPOptions {
  /// Gradient step, > 0. Unset: 1 / L, where L is the Lipschitz constant of the fidelity's gradient
  /// (DataFidelity::gradient_lipschitz; for L2 ||A||^2 / sigma^2), found at the beginning of a run
  /// and kept as SolverState::numbers["step"]; error::InvalidArgument then where none is known.
  /// Convergence theory wants step <= 1 / L; above 2 / L iterates grow, which no solver checks.
  std::optional<double> step = {};
  /// Noise level of the prior step in each iteration, intensities 0 to 1, for a prior that denoises
  /// at level sqrt(step), such as PlugAndPlay::matched; the last one stays. Falling levels
  /// (log_spaced) come further in as many iterations than a constant one. Empty: the prior is given
  /// the step. Refused for a prior that does not follow the step (Prior::follows_step), such as
  /// PlugAndPlay::fixed.
  std::vector<double> denoiser_sigma = {};
  /// Relaxation in (0, 2): x <- (1 - relaxation) x + relaxation * T(x).
  double relaxation = 1.0;
  /// Every iterate is clamped to this range, if there is one.
  ClampRange clamp_range = {};
  StoppingRules stopping = {};
};

/// Proximal-gradient plug-and-play: x <- clamp(prox_prior(x - step * grad f(x), step)).
/// With levels, prox_prior(., sigma_k^2). The fidelity and the prior know about ranks, the solver
/// does not.
template <FidelityLike Fidelity, PriorLike P>
class PnP : public Solver {
 public:
  /// `fidelity` and `prior` must outlive the solver.
  PnP(const Fidelity& fidelity, const P& prior, PnPOptions options = {})
      : Solver(options.stopping),
        fidelity_(&fidelity),
        prior_(&prior),
        options_(std::move(options)) {
    check();
  }

  std::string name() const override { return "pnp"; }
  /// A minimum for a convex prior, given the step, without extrapolation; clamping moves it.
  Guarantee guarantee() const override {
    const bool holds = detail::is_convex_and_smooth(*fidelity_) && detail::is_convex(*prior_) &&
                       options_.denoiser_sigma.empty() && options_.relaxation <= 1 &&
                       !options_.clamp_range;
    return holds ? Guarantee::minimum : Guarantee::none;
  }
  const PnPOptions& options() const { return options_; }

 private:
  void check() const {
    if (options_.step) check_positive(*options_.step, "pnp", "step");
    for (const double sigma : options_.denoiser_sigma) {
      check_positive(sigma, "pnp", "every denoiser_sigma");
    }
    if (!options_.denoiser_sigma.empty() && !follows_step(*prior_)) {
      throw error::InvalidArgument(
          "pnp: denoiser_sigma is given, and the prior ignores it, because its level is fixed or "
          "its "
          "denoiser takes none; use a prior that follows the step, such as PlugAndPlay::matched");
    }
    if (!(options_.relaxation > 0 && options_.relaxation < 2)) {
      throw error::InvalidArgument("pnp: relaxation must lie in (0, 2), got " +
                                   std::to_string(options_.relaxation));
    }
    if (options_.clamp_range) check_range(*options_.clamp_range, "pnp", "clamp_range");
  }

  void do_start(SolverState& state) const override {
    if (options_.step || state.numbers.count("step") > 0) return;
    state.numbers["step"] =
        default_step(do_communicator(), "pnp", gradient_lipschitz(*fidelity_, state.x));
  }

  void do_step(SolverState& state, StepTimes& times) const override {
    const Tensor x = state.x;
    const double step = options_.step ? *options_.step : state.numbers.at("step");
    Tensor z = timed(times.gradient, [&] { return x - step * fidelity_->gradient(x); });
    state.x = timed(times.prior, [&] {
      Tensor next = prior_->prox(z, prior_step(state.iterations, step));
      if (options_.relaxation != 1.0) next = x + options_.relaxation * (next - x);
      return clamped(next, options_.clamp_range);
    });
  }

  double prior_step(std::int64_t index, double step) const {
    const std::vector<double>& levels = options_.denoiser_sigma;
    if (levels.empty()) return step;
    const double sigma = levels[std::min(static_cast<std::size_t>(index), levels.size() - 1)];
    return sigma * sigma;
  }

  Communicator& do_communicator() const override { return ranks_of(*fidelity_, *prior_); }
  const ImageSpace& do_space() const override { return space_of(*fidelity_, *prior_); }

  const Fidelity* fidelity_;
  const P* prior_;
  PnPOptions options_;
};

}  // namespace tessera
