#pragma once

#include <utility>

#include "tessera/core/error.hpp"
#include "tessera/solver/clamp_range.hpp"
#include "tessera/solver/solver.hpp"
#include "tessera/solver/stopwatch.hpp"

namespace tessera {

struct PnPOptions {
  /// Gradient step, > 0. Convergence theory wants step <= 1 / ||A||^2
  /// (LinearPhysics::norm_squared).
  double step = 0.1;
  /// Relaxation in (0, 2): x <- (1 - relaxation) x + relaxation * T(x).
  double relaxation = 1.0;
  /// Every iterate is clamped to this range, if there is one.
  ClampRange clamp_range = std::pair{0.0, 1.0};
  StoppingRules stopping = {};
};

/// Proximal-gradient plug-and-play: x <- clamp(prox_prior(x - step * grad f(x), step)).
/// The fidelity and the prior know about ranks, the solver does not.
template <FidelityLike Fidelity, PriorLike P>
class PnP : public Solver {
 public:
  /// `fidelity` and `prior` must outlive the solver.
  PnP(const Fidelity& fidelity, const P& prior, PnPOptions options = {})
      : Solver(options.stopping), fidelity_(&fidelity), prior_(&prior), options_(options) {
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
    if (!(options.relaxation > 0 && options.relaxation < 2)) {
      throw error::InvalidArgument("pnp: relaxation must lie in (0, 2), got " +
                                   std::to_string(options.relaxation));
    }
  }

  Tensor do_step(const Tensor& x, std::int64_t /*index*/, StepTimes& times) const override {
    Tensor z = timed(times.gradient, [&] { return x - options_.step * fidelity_->gradient(x); });
    return timed(times.prior, [&] {
      Tensor next = prior_->prox(z, options_.step);
      if (options_.relaxation != 1.0) next = x + options_.relaxation * (next - x);
      return clamped(next, options_.clamp_range);
    });
  }

  Communicator& do_communicator() const override { return ranks_of(*fidelity_, *prior_); }

  const Fidelity* fidelity_;
  const P* prior_;
  PnPOptions options_;
};

}  // namespace tessera
