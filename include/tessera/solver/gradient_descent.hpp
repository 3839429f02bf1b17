#pragma once

#include <utility>

#include "tessera/core/error.hpp"
#include "tessera/solver/clamp_range.hpp"
#include "tessera/solver/solver.hpp"
#include "tessera/solver/stopwatch.hpp"

namespace tessera {

struct GradientDescentOptions {
  /// Gradient step, > 0. Convergence theory wants step < 2 / (||A||^2 + prior_weight L), where L is
  /// the Lipschitz constant of the prior's gradient: 1 for RED with an ideal denoiser, whose
  /// Jacobian has eigenvalues between 0 and 1.
  double step = 0.1;
  /// Weight of the prior against the fidelity, >= 0 (lambda).
  double prior_weight = 1.0;
  /// Every iterate is clamped to this range, if there is one.
  ClampRange clamp_range = std::pair{0.0, 1.0};
  StoppingRules stopping = {};
};

/// Steepest descent on f + lambda g: x <- clamp(x - step (grad f(x) + lambda grad g(x))). With RED
/// as the prior, the method "RED-SD" of Romano, Elad, Milanfar (SIIMS 10, 2017).
template <FidelityLike Fidelity, GradientPriorLike P>
class GradientDescent : public Solver {
 public:
  /// `fidelity` and `prior` must outlive the solver.
  GradientDescent(const Fidelity& fidelity, const P& prior, GradientDescentOptions options = {})
      : Solver(options.stopping), fidelity_(&fidelity), prior_(&prior), options_(options) {
    if (!(options.step > 0) || !(options.prior_weight >= 0)) {
      throw error::InvalidArgument(
          "gradient_descent: expected step > 0 and prior_weight >= 0, got " +
          std::to_string(options.step) + " and " + std::to_string(options.prior_weight));
    }
  }

  std::string name() const override { return "gradient_descent"; }
  const GradientDescentOptions& options() const { return options_; }

 private:
  Tensor do_step(const Tensor& x, std::int64_t /*index*/, StepTimes& times) const override {
    const Tensor z =
        timed(times.gradient, [&] { return x - options_.step * fidelity_->gradient(x); });
    return timed(times.prior, [&] {
      return clamped(z - options_.step * options_.prior_weight * prior_->gradient(x),
                     options_.clamp_range);
    });
  }

  Communicator& do_communicator() const override { return ranks_of(*fidelity_, *prior_); }

  const Fidelity* fidelity_;
  const P* prior_;
  GradientDescentOptions options_;
};

}  // namespace tessera
