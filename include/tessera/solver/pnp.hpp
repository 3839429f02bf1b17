#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "tessera/core/error.hpp"
#include "tessera/solver/clamp_range.hpp"
#include "tessera/solver/solver.hpp"
#include "tessera/solver/stopwatch.hpp"

namespace tessera {

struct PnPOptions {
  /// Gradient step, > 0. Convergence theory wants step <= 1 / ||A||^2
  /// (LinearPhysics::norm_squared).
  double step = 0.1;
  /// Noise level of the prior step in each iteration, intensities 0 to 1, for a prior that denoises
  /// at level sqrt(step), such as PlugAndPlay::matched; the last one stays. Falling levels
  /// (log_spaced) come further in as many iterations than a constant one. Empty: the prior is given
  /// `step`.
  std::vector<double> denoiser_sigma = {};
  /// Relaxation in (0, 2): x <- (1 - relaxation) x + relaxation * T(x).
  double relaxation = 1.0;
  /// Every iterate is clamped to this range, if there is one.
  ClampRange clamp_range = std::pair{0.0, 1.0};
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
    check(options_);
  }

  std::string name() const override { return "pnp"; }
  const PnPOptions& options() const { return options_; }

 private:
  static void check(const PnPOptions& options) {
    if (!(options.step > 0)) {
      throw error::InvalidArgument("pnp: step must be positive, got " +
                                   std::to_string(options.step));
    }
    for (const double sigma : options.denoiser_sigma) {
      if (!(sigma > 0)) {
        throw error::InvalidArgument("pnp: every denoiser_sigma must be positive, got " +
                                     std::to_string(sigma));
      }
    }
    if (!(options.relaxation > 0 && options.relaxation < 2)) {
      throw error::InvalidArgument("pnp: relaxation must lie in (0, 2), got " +
                                   std::to_string(options.relaxation));
    }
  }

  Tensor do_step(const Tensor& x, std::int64_t index, StepTimes& times) const override {
    Tensor z = timed(times.gradient, [&] { return x - options_.step * fidelity_->gradient(x); });
    return timed(times.prior, [&] {
      Tensor next = prior_->prox(z, prior_step(index));
      if (options_.relaxation != 1.0) next = x + options_.relaxation * (next - x);
      return clamped(next, options_.clamp_range);
    });
  }

  double prior_step(std::int64_t index) const {
    const std::vector<double>& levels = options_.denoiser_sigma;
    if (levels.empty()) return options_.step;
    const double sigma = levels[std::min(static_cast<std::size_t>(index), levels.size() - 1)];
    return sigma * sigma;
  }

  Communicator& do_communicator() const override { return ranks_of(*fidelity_, *prior_); }

  const Fidelity* fidelity_;
  const P* prior_;
  PnPOptions options_;
};

}  // namespace tessera
