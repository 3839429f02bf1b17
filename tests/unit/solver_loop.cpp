// SPDX-License-Identifier: BSD-3-Clause
#include <ATen/ops/cat.h>
#include <ATen/ops/full_like.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <cmath>
#include <limits>
#include <thread>

#include "catch.hpp"
#include "tensors.hpp"
#include "tessera/core/error.hpp"
#include "tessera/solver/gradient_descent.hpp"
#include "tessera/solver/hqs.hpp"
#include "tessera/solver/log_spaced.hpp"
#include "tessera/solver/pnp.hpp"
#include "toys.hpp"

using namespace tessera;
using test::Halfway;
using test::Shrink;

namespace {

const Tensor target = test::indexed({1, 2, 3, 4}).abs() * 0.8 + 0.1;
const Tensor zero = at::zeros({1, 2, 3, 4}, at::kDouble);

StoppingRules iterations(std::int64_t count) {
  StoppingRules rules;
  rules.max_iterations = count;
  return rules;
}

}  // namespace

TEST_CASE("PnP repeats x <- clamp(prox(x - step grad f(x)))") {
  const Halfway fidelity(target);  // f(x) = 0.5 ||x - target||^2
  const Shrink prior(0.9);         // prox(z) = 0.9 z
  const PnP solver(fidelity, prior, PnPOptions{.step = 0.25, .stopping = iterations(3)});
  // By hand: x_k = a x + b target, with a = 0.75 * 0.9 and b = 0.25 * 0.9.
  const double a = 0.75 * 0.9;
  const double expected = 0.25 * 0.9 * (1 + a + a * a);
  const SolveResult result = solver.solve(zero);
  CHECK(result.iterations == 3);
  CHECK(result.reason == StopReason::max_iterations);
  CHECK(test::relative_error(result.x, expected * target) < 1e-14);
  CHECK(test::relative_error(solver.step(zero), 0.225 * target) < 1e-14);
}

TEST_CASE("Solvers clamp every iterate to the range they are given, and to none by default") {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  const Halfway fidelity(3 * target - 1);
  const Shrink prior(1.0);
  const auto pnp = [&](ClampRange range) {
    const PnPOptions options{.step = 1.0, .clamp_range = range, .stopping = iterations(1)};
    return PnP(fidelity, prior, options).solve(zero).x;
  };
  CHECK(test::relative_error(pnp(std::pair{0.0, 1.0}), (3 * target - 1).clamp(0, 1)) < 1e-14);
  CHECK(test::relative_error(pnp(std::pair{0.0, infinity}), (3 * target - 1).clamp_min(0)) < 1e-14);
  const Tensor free =
      PnP(fidelity, prior, PnPOptions{.step = 1.0, .stopping = iterations(1)}).solve(zero).x;
  CHECK(test::relative_error(free, 3 * target - 1) < 1e-14);
  CHECK_FALSE(GradientDescentOptions{}.clamp_range);
  CHECK_FALSE(HqsOptions{}.clamp_range);
}

TEST_CASE("Relaxation mixes the old iterate with the new one") {
  const Halfway fidelity(target);
  const Shrink prior(1.0);
  const PnP solver(fidelity, prior,
                   PnPOptions{.step = 1.0, .relaxation = 0.5, .stopping = iterations(1)});
  CHECK(test::relative_error(solver.solve(zero).x, 0.5 * target) < 1e-14);
}

TEST_CASE("PnP's prior is given the level of the iteration, the last one from then on") {
  const Halfway fidelity(target);
  const Shrink prior(0.9);
  const PnP solver(fidelity, prior, PnPOptions{.step = 0.25, .denoiser_sigma = {0.3, 0.1, 0.2}});
  const auto level = [&](std::int64_t index) {
    CHECK(test::relative_error(solver.step(zero, index), 0.225 * target) < 1e-14);
    return std::sqrt(prior.last_step());
  };
  CHECK(level(0) == Approx(0.3));
  CHECK(level(1) == Approx(0.1));
  CHECK(level(2) == Approx(0.2));
  CHECK(level(50) == Approx(0.2));
  PnP(fidelity, prior, PnPOptions{.step = 0.25}).step(zero, 1);
  CHECK(prior.last_step() == 0.25);
}

TEST_CASE("Log-spaced numbers have one ratio") {
  const std::vector<double> numbers = log_spaced(0.1, 0.0125, 4);
  REQUIRE(numbers.size() == 4);
  CHECK(numbers[0] == Approx(0.1));
  CHECK(numbers[1] == Approx(0.05));
  CHECK(numbers[3] == Approx(0.0125));
  CHECK(log_spaced(0.1, 0.3, 1) == std::vector<double>{0.3});
  CHECK_THROWS_AS(log_spaced(0, 1, 3), error::InvalidArgument);
  CHECK_THROWS_AS(log_spaced(1, -1, 3), error::InvalidArgument);
  CHECK_THROWS_AS(log_spaced(1, 1, 0), error::InvalidArgument);
}

TEST_CASE("A solver says why it stopped") {
  const Halfway fidelity(target);
  const Shrink prior(1.0);
  PnPOptions options{.step = 0.5, .stopping = iterations(1000)};

  SECTION("relative change") {
    options.stopping.relative_change = 1e-3;
    const SolveResult result = PnP(fidelity, prior, options).solve(zero);
    CHECK(result.reason == StopReason::relative_change);
    // After k steps x = (1 - 2^-k) target, the relative change is 1 / (2^k - 1): below 1e-3 at k
    // = 10.
    CHECK(result.iterations == 10);
  }
  SECTION("time limit") {
    options.stopping.time_limit_s = 1e-9;
    const SolveResult result = PnP(fidelity, prior, options).solve(zero);
    CHECK(result.reason == StopReason::time_limit);
    CHECK(result.iterations == 1);
  }
  SECTION("observer") {
    struct StopAtThird : Observer {
      std::int64_t seen = 0;
      Verdict on_iteration(const Iteration& iteration) override {
        CHECK(iteration.index == seen++);
        return seen == 3 ? Verdict::stop : Verdict::proceed;
      }
    } observer;
    const SolveResult result = PnP(fidelity, prior, options).solve(zero, observer);
    CHECK(result.reason == StopReason::observer);
    CHECK(result.iterations == 3);
  }
  SECTION("no longer finite: the last finite iterate is kept") {
    const Shrink poison(std::numeric_limits<double>::quiet_NaN());
    const SolveResult result = PnP(fidelity, poison, options).solve(target);
    CHECK(result.reason == StopReason::not_finite);
    CHECK(result.iterations == 0);
    CHECK(test::relative_error(result.x, target) == 0);
  }
  SECTION("no iteration asked for") {
    options.stopping.max_iterations = 0;
    const SolveResult result = PnP(fidelity, prior, options).solve(target);
    CHECK(result.iterations == 0);
    CHECK(test::relative_error(result.x, target) == 0);
  }
}

TEST_CASE("Observers see every iterate, and what they throw ends the run") {
  const Halfway fidelity(target);
  const Shrink prior(1.0);
  const PnP solver(fidelity, prior, PnPOptions{.step = 0.5, .stopping = iterations(4)});
  std::vector<double> norms;
  ObserverFunction watch(
      [&](const Iteration& iteration) { norms.push_back(iteration.x.norm().item<double>()); });
  std::int64_t count = 0;
  ObserverFunction counter([&](const Iteration& iteration) {
    ++count;
    CHECK(iteration.gradient_time_s >= 0);
    CHECK(iteration.elapsed_s >= iteration.gradient_time_s + iteration.prior_time_s);
  });
  ObserverList both({watch, counter});
  solver.solve(zero, both);
  REQUIRE(norms.size() == 4);
  CHECK(count == 4);
  CHECK(norms[1] == Approx(0.75 * target.norm().item<double>()));

  ObserverFunction broken([](const Iteration&) { throw std::runtime_error("disk full"); });
  CHECK_THROWS_WITH(solver.solve(zero, broken), test::contains("disk full"));
}

TEST_CASE("HQS repeats x <- prox_prior(prox_f(x, gamma), sigma^2)") {
  const Halfway fidelity(target);
  const Shrink prior(0.5);
  HqsOptions options;
  options.schedule = {.denoiser_sigma = {0.3, 0.2}, .gamma = {1.0, 3.0}};
  const HQS solver(fidelity, prior, options);
  // prox_f(z, g) = (z + g target) / (1 + g)
  const double first = 0.5 * 0.5;
  const double second = 0.5 * (first + 3.0) / 4.0;
  const SolveResult result = solver.solve(zero);
  CHECK(result.iterations == 2);
  CHECK(test::relative_error(result.x, second * target) < 1e-14);
  CHECK(prior.last_step() == Approx(0.04));
}

TEST_CASE("The DPIR schedule is log-spaced from 49/255 to the noise") {
  const HqsSchedule schedule = HqsSchedule::dpir(0.1, 3);
  REQUIRE(schedule.denoiser_sigma.size() == 3);
  CHECK(schedule.denoiser_sigma[0] == Approx(49.0 / 255.0));
  CHECK(schedule.denoiser_sigma[1] == Approx(std::sqrt(0.1 * 49.0 / 255.0)));
  CHECK(schedule.denoiser_sigma[2] == Approx(0.1));
  CHECK(schedule.gamma[0] == Approx(std::pow(49.0 / 25.5, 2) / 0.23));
  CHECK(schedule.gamma[2] == Approx(1 / 0.23));
  // Below 0.01 the data are not trusted further.
  CHECK(HqsSchedule::dpir(0.001, 1).gamma[0] == Approx(0.01 / 0.23));
  CHECK(HqsSchedule::dpir(0.1, 3, 0.5).gamma[2] == Approx(2));
}

TEST_CASE("A batch goes on until every image has settled") {
  // Scales that differ by 1e8: together, the bright image decides alone.
  const Tensor bright = test::indexed({1, 1, 6, 7}).abs() + 0.1;
  const Tensor faint = 1e-8 * bright.flip(3);
  for (const at::ScalarType type : {at::kDouble, at::kFloat}) {
    const auto solve = [&](const Tensor& start, const Tensor& goal) {
      const Halfway fidelity(goal.to(type));
      const Shrink prior(1.0);
      const PnPOptions options{.step = 0.5,
                               .stopping = {.max_iterations = 1000, .relative_change = 1e-3}};
      return PnP(fidelity, prior, options).solve(start.to(type));
    };
    // The bright image begins where it ends.
    const SolveResult both =
        solve(at::cat({bright, at::zeros_like(faint)}), at::cat({bright, faint}));
    const SolveResult alone = solve(at::zeros_like(faint), faint);
    CHECK(alone.iterations == 10);
    CHECK(both.iterations == 10);
    CHECK(both.reason == StopReason::relative_change);
    CHECK(test::relative_error(both.x.narrow(0, 1, 1), alone.x) < 1e-6);
    CHECK(both.relative_change == Approx(alone.relative_change));
  }
}

TEST_CASE("The relative change does not depend on the scale of the intensities") {
  const Shrink prior(1.0);
  for (const double scale : {1e-30, 1.0, 1e30}) {  // squares are beyond float32
    const Halfway fidelity((scale * target).to(at::kFloat));
    const PnPOptions options{.step = 0.5,
                             .stopping = {.max_iterations = 1000, .relative_change = 1e-3}};
    const SolveResult result = PnP(fidelity, prior, options).solve(zero.to(at::kFloat));
    CAPTURE(scale);
    CHECK(result.reason == StopReason::relative_change);
    CHECK(result.iterations == 10);
  }
}

TEST_CASE("A start that is not finite is refused, naming the value and its index") {
  const Halfway fidelity(target);
  const Shrink prior(1.0);
  for (const double wrong : {std::nan(""), std::numeric_limits<double>::infinity()}) {
    const Tensor x0 = zero.clone();
    x0[0][1][2][3] = wrong;
    CHECK_THROWS_AS(PnP(fidelity, prior).solve(x0), error::InvalidArgument);
    CHECK_THROWS_WITH(PnP(fidelity, prior).solve(x0),
                      test::contains("pnp.solve: x0 has 1 of 24 values that are not finite") &&
                          test::contains("at [0, 1, 2, 3]"));
  }
}

TEST_CASE("A first step that is not finite ends a run with its start") {
  const Halfway fidelity(target);
  const Shrink prior(std::nan(""));
  const SolveResult result = PnP(fidelity, prior).solve(target);
  CHECK(result.reason == StopReason::not_finite);
  CHECK(result.iterations == 0);
  CHECK(result.x.equal(target));
  CHECK_THAT(to_string(result.reason), test::contains("data are not finite"));
}
