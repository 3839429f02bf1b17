#include "tessera/solver/solver.hpp"

#include <ATen/ops/isfinite.h>
#include <fmt/format.h>

#include <chrono>

#include "tessera/comm/agreement.hpp"
#include "tessera/core/error.hpp"

namespace tessera {

namespace {

class NoObserver final : public Observer {
 public:
  Verdict on_iteration(const Iteration& /*iteration*/) override { return Verdict::proceed; }
};

double relative_change(const Tensor& next, const Tensor& x) {
  const double scale = next.norm().item<double>();
  const double change = (next - x).norm().item<double>();
  return scale > 0 ? change / scale : change;
}

/// Why this rank would stop; 0: it would not. Larger numbers win when ranks differ.
std::int64_t stop_code(StopReason reason) {
  return static_cast<std::int64_t>(reason) + 1;
}

}  // namespace

std::string to_string(StopReason reason) {
  switch (reason) {
    case StopReason::max_iterations:
      return "reached the number of iterations asked for";
    case StopReason::relative_change:
      return "the relative change fell below the threshold";
    case StopReason::time_limit:
      return "reached the time limit";
    case StopReason::observer:
      return "an observer asked to stop";
    case StopReason::not_finite:
      return "the iterate is no longer finite: the step is probably too large";
  }
  return "unknown";
}

Solver::Solver(StoppingRules rules) : rules_(rules) {
  if (rules.max_iterations < 0 || !(rules.relative_change >= 0) || !(rules.time_limit_s > 0)) {
    throw error::InvalidArgument(
        fmt::format("Solver: expected max_iterations >= 0, relative_change >= 0 and time_limit_s > "
                    "0, got {}, {} and {}",
                    rules.max_iterations, rules.relative_change, rules.time_limit_s));
  }
}

Tensor Solver::step(const Tensor& x, std::int64_t index) const {
  check_image(x, name() + ".step: x");
  StepTimes times;
  return do_step(x, index, times);
}

SolveResult Solver::solve(const Tensor& x0) const {
  NoObserver nobody;
  return solve(x0, nobody);
}

SolveResult Solver::solve(const Tensor& x0, Observer& observer) const {
  Communicator& ranks = do_communicator();
  guarded(ranks, name() + ".solve", [&] {
    check_image(x0, name() + ".solve: x0");
    observer.on_start(x0);
  });

  SolveResult result{.x = x0};
  while (result.iterations < rules_.max_iterations) {
    // What this rank says about stopping; agreed upon below, together with any failure.
    std::int64_t code = 0;
    std::exception_ptr failure;
    try {
      const auto start = std::chrono::steady_clock::now();
      StepTimes times;
      const Tensor next = do_step(result.x, result.iterations, times);
      const double change = relative_change(next, result.x);
      result.elapsed_s +=
          std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      if (!std::isfinite(change)) {
        code = stop_code(StopReason::not_finite);
      } else {
        result.x = next;
        if (change <= rules_.relative_change && rules_.relative_change > 0) {
          code = stop_code(StopReason::relative_change);
        }
        if (result.elapsed_s >= rules_.time_limit_s) code = stop_code(StopReason::time_limit);
        const Iteration iteration{.index = result.iterations,
                                  .x = next,
                                  .gradient_time_s = times.gradient_s,
                                  .prior_time_s = times.prior_s,
                                  .elapsed_s = result.elapsed_s,
                                  .relative_change = change};
        if (observer.on_iteration(iteration) == Observer::Verdict::stop)
          code = stop_code(StopReason::observer);
      }
    } catch (...) {
      failure = std::current_exception();
    }
    agree(ranks, name() + ".solve", failure, std::span(&code, 1));
    if (code != stop_code(StopReason::not_finite)) ++result.iterations;
    if (code != 0) {
      result.reason = static_cast<StopReason>(code - 1);
      return result;
    }
  }
  return result;
}

}  // namespace tessera
