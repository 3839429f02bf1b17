// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>

#include "tessera/comm/agreement.hpp"
#include "tessera/comm/larger_group.hpp"
#include "tessera/core/check.hpp"
#include "tessera/core/error.hpp"
#include "tessera/core/text.hpp"
#include "tessera/solver/default_step.hpp"
#include "tessera/solver/solver.hpp"
#include "tessera/solver/stopwatch.hpp"

namespace tessera {

struct ProximalGradientOptions {
  /// Step, > 0; where it begins, with backtracking. Unset: 1 / L, with the Lipschitz constant L of
  /// the smooth part's gradient; error::InvalidArgument then where none is known.
  std::optional<double> step = {};
  /// Shortens the step until the smooth part lies below its quadratic model (Beck and Teboulle
  /// 2009, section 4): for parts whose L is not known. Needs value() of the smooth part; one value
  /// more per trial. The step never grows again.
  bool backtracking = false;
  /// FISTA's momentum (Beck and Teboulle, SIAM J. Imaging Sci. 2, 2009): the objective falls as
  /// 2 L ||x0 - x*||^2 / (k + 1)^2 for convex parts, without momentum as L ||x0 - x*||^2 / (2 k).
  bool momentum = true;
  /// Drops the momentum where it points uphill (gradient scheme of O'Donoghue and Candes, Found.
  /// Comput. Math. 15, 2015). One decision for all images of a batch.
  bool restart = true;
  /// Never raises the objective, but by rounding: a step that would is taken again without momentum
  /// from where it began, as for parts that are not convex momentum may run away (Li and Lin, NIPS
  /// 28, 2015), and one that still would is not taken. Needs value() of both parts: one more each
  /// per iteration.
  bool monotone = false;
  /// Weight of the simple part, > 0: its proximal operator is given step * weight.
  double weight = 1.0;
  StoppingRules stopping = {};
};

/// Minimises smooth(x) + weight simple(x), the one known by its gradient, the other by its proximal
/// operator:
///
///     x_k+1 = prox_{step weight simple}(z_k - step grad smooth(z_k)),   z_k+1 = x_k+1 + momentum
///
/// The smooth part is a fidelity and the simple one a prior, or the other way round: a prior with a
/// gradient (RED) and the proximal operator of the fidelity, whose iterations begin at z_k and end
/// relative to how far that is from solved. Converges for convex parts and steps up to 1 / L; with
/// parts that are not convex only without momentum, for steps below 1 / L, to stationary points
/// (Attouch, Bolte, Svaiter, Math. Program. 137, 2013), or with what `monotone` allows of it. With
/// a denoiser that is no proximal operator nothing is guaranteed: PnP is that iteration, with
/// levels.
template <typename Smooth, typename Simple>
class ProximalGradient : public Solver {
 public:
  /// Both parts must outlive the solver.
  ProximalGradient(const Smooth& smooth, const Simple& simple, ProximalGradientOptions options = {})
      : Solver(options.stopping), smooth_(&smooth), simple_(&simple), options_(options) {
    if (options_.step) check_positive(*options_.step, "proximal_gradient", "step");
    check_positive(options_.weight, "proximal_gradient", "weight");
  }

  std::string name() const override { return "proximal_gradient"; }
  /// A minimum for convex parts. With restarts of the momentum, which as a rule converge faster,
  /// that is proven for quadratic parts alone. Descent if `monotone`, for any parts.
  Guarantee guarantee() const override {
    const bool holds = detail::is_convex_and_smooth(*smooth_) && detail::is_convex(*simple_) &&
                       !(options_.momentum && options_.restart);
    if (holds && !options_.monotone) return Guarantee::minimum;
    return options_.monotone ? Guarantee::descent : Guarantee::none;
  }
  const ProximalGradientOptions& options() const { return options_; }

 private:
  void do_start(SolverState& state) const override {
    if (state.numbers.count("step") == 0) {
      state.numbers["step"] =
          options_.step ? *options_.step
                        : default_step(do_communicator(), "proximal_gradient", lipschitz(state.x));
    }
    if (options_.momentum && state.images.count("ahead") == 0) {
      state.images["ahead"] = state.x;
      state.numbers["t"] = 1;
    }
    if (options_.monotone && state.numbers.count("objective") == 0) {
      state.numbers["objective"] = objective(state.x);
    }
  }

  void do_step(SolverState& state, StepTimes& times) const override {
    const Tensor x = state.x;
    Tensor z = options_.momentum ? state.images.at("ahead") : x;
    move_from(state, z, times);
    if (options_.monotone && rises(state)) {
      if (options_.momentum) {
        z = x;
        state.numbers.at("t") = 1;
        move_from(state, z, times);
      }
      if (!options_.momentum || rises(state)) state.x = x;
    }
    if (options_.momentum) move_ahead(state, x, z);
  }

  void move_from(SolverState& state, const Tensor& z, StepTimes& times) const {
    const double step = state.numbers.at("step");
    const Tensor gradient = timed(times.gradient, [&] { return smooth_->gradient(z); });
    state.x = timed(times.prior, [&] { return forward_backward(z, gradient, step); });
    if (options_.backtracking) shorten(state, z, gradient, times);
  }

  Tensor forward_backward(const Tensor& z, const Tensor& gradient, double step) const {
    const Tensor from = z - step * gradient;
    if constexpr (requires { simple_->prox(from, step, z); }) {
      return simple_->prox(from, step * options_.weight, z);
    } else {
      return simple_->prox(from, step * options_.weight);
    }
  }

  double objective(const Tensor& x) const {
    return value_of(*smooth_, x) + options_.weight * value_of(*simple_, x);
  }

  /// Whether the objective is above the least so far, by more than rounding; that of an iterate
  /// that is not finite is.
  bool rises(SolverState& state) const {
    const double slack = state.x.scalar_type() == at::kDouble ? 1e-12 : 1e-6;
    double& least = state.numbers.at("objective");
    const double now = objective(state.x);
    if (any_rank_finds(!(now <= least + slack * std::abs(least)))) return true;
    least = std::min(least, now);
    return false;
  }

  /// Until smooth(x) <= smooth(z) + <gradient, x - z> + |x - z|^2 / (2 step), to rounding.
  void shorten(SolverState& state, const Tensor& z, const Tensor& gradient,
               StepTimes& times) const {
    constexpr int most_trials = 60;
    constexpr double shrinkage = 0.5;
    const double at_z = value_of(*smooth_, z);
    double& step = state.numbers.at("step");
    for (int trial = 0; trial < most_trials; ++trial) {
      const Tensor d = state.x - z;
      const double model = at_z + dot(gradient, d) + dot(d, d) / (2 * step);
      const double slack = 1e-12 * (std::abs(at_z) + std::abs(model));
      if (!any_rank_finds(!(value_of(*smooth_, state.x) <= model + slack))) return;
      step *= shrinkage;
      state.x = timed(times.prior, [&] { return forward_backward(z, gradient, step); });
    }
    throw error::InvalidArgument(formatted(
        "proximal_gradient: no step down to {} lets the smooth part fall: its gradient is not that "
        "of its value, or one of them is not finite",
        step));
  }

  void move_ahead(SolverState& state, const Tensor& x, const Tensor& z) const {
    double& t = state.numbers.at("t");
    if (options_.restart && any_rank_finds(dot(z - state.x, state.x - x) > 0)) {
      t = 1;
      state.images["ahead"] = state.x;
      return;
    }
    const double next = 0.5 * (1 + std::sqrt(1 + 4 * t * t));
    state.images["ahead"] = state.x + ((t - 1) / next) * (state.x - x);
    t = next;
  }

  /// One answer for all ranks, whose images may differ by rounding.
  bool any_rank_finds(bool says) const {
    Communicator& part = smooth_->communicator();
    Communicator& other = simple_->communicator();
    return any_rank(part.size() > other.size() ? part : other, "proximal_gradient", says);
  }

  double dot(const Tensor& a, const Tensor& b) const {
    return do_space().dot_each(a, b, 1).front();
  }

  std::optional<double> lipschitz(const Tensor& x) const {
    if constexpr (requires { smooth_->gradient_lipschitz(x); }) {
      return gradient_lipschitz(*smooth_, x);
    } else {
      return gradient_lipschitz(*smooth_);
    }
  }

  template <typename Part>
  static double value_of(const Part& part, const Tensor& x) {
    const std::optional<double> value = part.value(x);
    if (!value) {
      throw error::InvalidArgument(
          formatted("proximal_gradient: backtracking and monotone need value(), which {} has not: "
                    "give the options a step, or leave monotone out",
                    part.name()));
    }
    return *value;
  }

  Communicator& do_communicator() const override {
    return larger_group(smooth_->communicator(), simple_->communicator(), "Solver.solve");
  }
  const ImageSpace& do_space() const override { return space_of(*smooth_, *simple_); }

  const Smooth* smooth_;
  const Simple* simple_;
  ProximalGradientOptions options_;
};

}  // namespace tessera
