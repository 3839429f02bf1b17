// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <optional>

#include "tessera/core/check.hpp"
#include "tessera/solver/clamp_range.hpp"
#include "tessera/solver/default_step.hpp"
#include "tessera/solver/solver.hpp"
#include "tessera/solver/stopwatch.hpp"

namespace tessera {

struct GradientDescentOptions {
  /// Gradient step, > 0. Unset: 1 / (L + prior_weight M), where L and M are the Lipschitz constants
  /// of the gradients of fidelity and prior (gradient_lipschitz; M is 1 for RED with an ideal
  /// denoiser), found at the beginning of a run and kept as SolverState::numbers["step"];
  /// error::InvalidArgument then where one is not known. Convergence theory wants less than twice
  /// that; above it iterates grow, which no solver checks.
  std::optional<double> step = {};
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
    if (options.step) check_positive(*options.step, "gradient_descent", "step");
    check_not_negative(options.prior_weight, "gradient_descent", "prior_weight");
    if (options.clamp_range) check_range(*options.clamp_range, "gradient_descent", "clamp_range");
  }

  std::string name() const override { return "gradient_descent"; }
  Guarantee guarantee() const override {
    const bool is_without = options_.prior_weight == 0;
    const bool holds = detail::is_convex_and_smooth(*fidelity_) &&
                       (is_without || detail::is_convex_and_smooth(*prior_));
    return holds ? Guarantee::minimum : Guarantee::none;
  }
  const GradientDescentOptions& options() const { return options_; }

 private:
  void do_start(SolverState& state) const override {
    if (options_.step || state.numbers.count("step") > 0) return;
    std::optional<double> lipschitz = gradient_lipschitz(*fidelity_, state.x);
    if (options_.prior_weight > 0 && lipschitz) {
      const std::optional<double> of_prior = gradient_lipschitz(*prior_);
      lipschitz =
          of_prior ? std::optional(*lipschitz + options_.prior_weight * *of_prior) : std::nullopt;
    }
    state.numbers["step"] = default_step(do_communicator(), "gradient_descent", lipschitz);
  }

  void do_step(SolverState& state, StepTimes& times) const override {
    const Tensor x = state.x;
    const double step = options_.step ? *options_.step : state.numbers.at("step");
    const Tensor z = timed(times.gradient, [&] { return x - step * fidelity_->gradient(x); });
    state.x = timed(times.prior, [&] {
      return clamped(z - step * options_.prior_weight * prior_->gradient(x), options_.clamp_range);
    });
  }

  Communicator& do_communicator() const override { return ranks_of(*fidelity_, *prior_); }
  const ImageSpace& do_space() const override { return space_of(*fidelity_, *prior_); }

  const Fidelity* fidelity_;
  const P* prior_;
  GradientDescentOptions options_;
};

}  // namespace tessera
