#pragma once

#include "tessera/core/check.hpp"
#include "tessera/solver/clamp_range.hpp"
#include "tessera/solver/solver.hpp"
#include "tessera/solver/stopwatch.hpp"

namespace tessera {

struct GradientDescentOptions {
  /// Gradient step, > 0. Convergence theory wants step < 2 / (||A||^2 + prior_weight L), where L is
  /// the Lipschitz constant of the prior's gradient: 1 for RED with an ideal denoiser, whose
  /// Jacobian has eigenvalues between 0 and 1. Above it iterates grow, which no solver checks.
  double step = 0.1;
  /// Weight of the prior against the fidelity, >= 0 (lambda).
  double prior_weight = 1.0;
  /// Every iterate is clamped to this range, if there is one.
  ClampRange clamp_range = {};
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
    check_positive(options.step, "gradient_descent", "step");
    check_not_negative(options.prior_weight, "gradient_descent", "prior_weight");
    if (options.clamp_range) check_range(*options.clamp_range, "gradient_descent", "clamp_range");
  }

  std::string name() const override { return "gradient_descent"; }
  const GradientDescentOptions& options() const { return options_; }

 private:
  void do_step(SolverState& state, StepTimes& times) const override {
    const Tensor x = state.x;
    const Tensor z =
        timed(times.gradient, [&] { return x - options_.step * fidelity_->gradient(x); });
    state.x = timed(times.prior, [&] {
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
