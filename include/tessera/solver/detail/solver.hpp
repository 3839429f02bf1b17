// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/core/grad_mode.h>

#include <chrono>
#include <cmath>
#include <vector>

#include "tessera/comm/agreement.hpp"
#include "tessera/core/check.hpp"
#include "tessera/core/error.hpp"
#include "tessera/core/flush_denormals.hpp"
#include "tessera/core/text.hpp"
#include "tessera/solver/solver.hpp"

namespace tessera {

namespace detail {

class NoObserver final : public Observer {
 public:
  Verdict on_iteration(const Iteration& /*iteration*/) override { return Verdict::proceed; }
};

/// The largest over the images of the batch; NaN if `next` is not finite. Collective if images are
/// shared out.
inline double relative_change(const ImageSpace& space, const Tensor& next, const Tensor& x) {
  const at::NoGradGuard no_grad;
  const Tensor difference = next - x;
  const std::vector<double> changes = space.dot_each(difference, difference);
  const std::vector<double> scales = space.dot_each(next, next);
  double largest = 0;
  for (std::size_t i = 0; i < changes.size(); ++i) {
    const double change = std::sqrt(scales[i] > 0 ? changes[i] / scales[i] : changes[i]);
    if (std::isnan(change) || change > largest) largest = change;
    if (std::isnan(largest)) break;
  }
  return largest;
}

/// As a number for guarded(), whose maximum wins when ranks differ; 0: go on.
inline std::int64_t code_of(const std::optional<StopReason>& reason) {
  return reason ? static_cast<std::int64_t>(*reason) + 1 : 0;
}

}  // namespace detail

inline std::string to_string(StopReason reason) {
  switch (reason) {
    case StopReason::max_iterations:
      return "reached the number of iterations asked for";
    case StopReason::relative_change:
      return "the relative change fell below the threshold";
    case StopReason::tolerance:
      return "the residual fell below the tolerance";
    case StopReason::time_limit:
      return "reached the time limit";
    case StopReason::observer:
      return "an observer asked to stop";
    case StopReason::not_finite:
      return "the iterate is no longer finite: the step is probably too large, or the data are not "
             "finite";
  }
  return "unknown";
}

inline Solver::Solver(StoppingRules rules) : rules_(rules) {
  check_not_negative(rules.relative_change, "Solver", "relative_change");
  if (rules.max_iterations < 0 || !(rules.time_limit_s > 0)) {
    throw error::InvalidArgument(
        formatted("Solver: expected max_iterations >= 0 and time_limit_s > 0, got {} and {}",
                  rules.max_iterations, rules.time_limit_s));
  }
}

inline Tensor Solver::step(const Tensor& x, std::int64_t index) const {
  check_image(x, formatted("{}.step: x", name()));
  const FlushDenormals no_slow_numbers;
  SolverState state{.x = x, .iterations = index};
  StepTimes times;
  do_start(state);
  do_step(state, times);
  return state.x;
}

inline void Solver::do_start(SolverState& /*state*/) const {}

inline bool Solver::do_finished(const SolverState& /*state*/) const {
  return false;
}

inline SolveResult Solver::solve(const Tensor& x0) const {
  detail::NoObserver nobody;
  return solve(x0, nobody);
}

inline SolveResult Solver::solve(const Tensor& x0, Observer& observer) const {
  return solve(SolverState{.x = x0}, observer);
}

inline SolveResult Solver::solve(const SolverState& start, Observer& observer) const {
  const FlushDenormals no_slow_numbers;
  Communicator& ranks = do_communicator();
  const std::string where = formatted("{}.solve", name());
  SolveResult result;
  static_cast<SolverState&>(result) = start;
  // Why the ranks stop, and what fails on one of them: agreed upon at the start and after each
  // iteration.
  std::int64_t code = 0;
  const auto agreed = [&](auto&& work) {
    guarded(
        ranks, where, [&] { code = detail::code_of(work()); }, std::span(&code, 1));
  };
  agreed([&] {
    check_image(start.x, where + ": x0");
    check_finite(start.x, where, "x0");
    if (start.iterations < 0) {
      throw error::InvalidArgument(
          formatted("{}: expected iterations >= 0, got {}", where, start.iterations));
    }
    observer.on_start(start.x);
    return rule_that_holds(result);
  });
  if (code == 0) {
    agreed([&] {
      do_start(result);
      return do_finished(result) ? std::optional(StopReason::tolerance) : std::nullopt;
    });
  }
  while (code == 0) {
    agreed([&] { return iterate(result, observer); });
  }
  result.reason = static_cast<StopReason>(code - 1);
  guarded(ranks, where, [&] { observer.on_end(result); });
  return result;
}

inline std::optional<StopReason> Solver::rule_that_holds(const SolverState& state) const {
  if (state.elapsed_s >= rules_.time_limit_s) return StopReason::time_limit;
  if (state.relative_change <= rules_.relative_change && rules_.relative_change > 0)
    return StopReason::relative_change;
  if (state.iterations >= rules_.max_iterations) return StopReason::max_iterations;
  return std::nullopt;
}

inline std::optional<StopReason> Solver::iterate(SolverState& state, Observer& observer) const {
  const auto start = std::chrono::steady_clock::now();
  StepTimes times;
  times.gradient.observer = times.prior.observer = &observer;
  SolverState next = state;
  do_step(next, times);
  const double change = detail::relative_change(do_space(), next.x, state.x);
  state.elapsed_s +=
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() -
      times.gradient.observed_s - times.prior.observed_s;
  if (!std::isfinite(change)) return StopReason::not_finite;
  next.elapsed_s = state.elapsed_s;
  next.relative_change = change;
  ++next.iterations;
  const Iteration iteration{.index = state.iterations,
                            .x = next.x,
                            .gradient_time_s = times.gradient.seconds,
                            .prior_time_s = times.prior.seconds,
                            .elapsed_s = state.elapsed_s,
                            .relative_change = change,
                            .state = &state};
  state = std::move(next);
  if (observer.on_iteration(iteration) == Observer::Verdict::stop) return StopReason::observer;
  if (do_finished(state)) return StopReason::tolerance;
  return rule_that_holds(state);
}

}  // namespace tessera
