// SPDX-License-Identifier: BSD-3-Clause
#include <ATen/ops/equal.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <cmath>

#include "catch.hpp"
#include "tensors.hpp"
#include "tessera/core/error.hpp"
#include "tessera/fidelity/clipped_l2.hpp"
#include "tessera/fidelity/l2.hpp"
#include "tessera/physics/blur.hpp"
#include "tessera/physics/gaussian_kernel.hpp"
#include "tessera/prior/red.hpp"
#include "tessera/solver/gradient_descent.hpp"
#include "tessera/solver/pnp.hpp"
#include "toys.hpp"

using namespace tessera;

namespace {

const Tensor truth = test::indexed({1, 2, 9, 8}).abs() * 0.8 + 0.1;
const Tensor zero = at::zeros({1, 2, 9, 8}, at::kDouble);

/// 3 times a blur whose norm is 1: ||A||^2 = 9.
LinearPhysicsPtr strong_blur() {
  return std::make_shared<Blur>(3 * gaussian_kernel(1.0, 1.0, 0.0));
}

/// Counts how often its constant is asked for.
class Counted : public test::Halfway {
 public:
  using Halfway::Halfway;
  mutable int asked = 0;

 private:
  std::optional<double> do_gradient_lipschitz(const Tensor& /*image*/) const override {
    ++asked;
    return 3.0;
  }
};

/// Knows no constant.
class Unknown : public test::Halfway {
 public:
  using Halfway::Halfway;

 private:
  std::optional<double> do_gradient_lipschitz(const Tensor& /*image*/) const override {
    return std::nullopt;
  }
};

/// A prior with a gradient of an unknown constant.
class Plain : public Prior {
 public:
  std::string name() const override { return "plain"; }

 private:
  Tensor do_gradient(const Tensor& x) const override { return x; }
};

class StopAt : public Observer {
 public:
  explicit StopAt(std::int64_t count) : count_(count) {}
  Verdict on_iteration(const Iteration& iteration) override {
    state = *iteration.state;
    return state.iterations == count_ ? Verdict::stop : Verdict::proceed;
  }
  SolverState state;

 private:
  std::int64_t count_;
};

}  // namespace

TEST_CASE("The gradient of a fidelity is as steep as its curvature times ||A||^2") {
  const LinearPhysicsPtr blur = strong_blur();
  CHECK(blur->norm_squared(truth) == Approx(9));
  const L2 l2(blur, blur->forward(truth), truth, {.sigma = 0.5});
  CHECK(*l2.gradient_lipschitz(truth) == Approx(36));
  const ClippedL2 clipped(blur, blur->forward(truth), {.sigma = 0.5});
  CHECK(*clipped.gradient_lipschitz(truth) == Approx(9));
  // It bounds the change of the gradient, and a constant image attains it.
  const Tensor step = at::zeros_like(truth) + 1;
  const Tensor change = l2.gradient(truth + step) - l2.gradient(truth);
  CHECK(change.norm().item<double>() == Approx(36 * step.norm().item<double>()));
}

TEST_CASE("Without a step, PnP takes 1 / L and keeps it with its state") {
  const LinearPhysicsPtr blur = strong_blur();
  const L2 l2(blur, blur->forward(truth), truth, {.sigma = 0.5});
  const test::Shrink prior(0.9);
  const SolveResult automatic = PnP(l2, prior).solve(zero);
  const double step = automatic.numbers.at("step");
  CHECK(step == Approx(1.0 / 36));
  CHECK(prior.last_step() == step);
  const SolveResult given = PnP(l2, prior, PnPOptions{.step = step}).solve(zero);
  CHECK(given.numbers.empty());
  CHECK(at::equal(automatic.x, given.x));
  CHECK(at::equal(PnP(l2, prior).step(zero), PnP(l2, prior, PnPOptions{.step = step}).step(zero)));
}

TEST_CASE("Without a step, gradient descent counts the prior's gradient too") {
  const test::Halfway fidelity(truth);
  const RED red(std::make_shared<test::Dimmer>(), 0.25);
  const auto step_with = [&](double weight) {
    return GradientDescent(fidelity, red, GradientDescentOptions{.prior_weight = weight})
        .solve(zero)
        .numbers.at("step");
  };
  CHECK(step_with(0) == 1.0);
  CHECK(step_with(3) == 0.25);
}

TEST_CASE("The step is found once for a run, also for one that is resumed") {
  const Counted fidelity(truth);
  const test::Shrink prior(0.9);
  const PnP solver(fidelity, prior, PnPOptions{.stopping = {.max_iterations = 7}});
  const SolveResult whole = solver.solve(zero);
  CHECK(fidelity.asked == 1);
  StopAt first(3);
  solver.solve(zero, first);
  CHECK(fidelity.asked == 2);
  StopAt second(100);
  const SolveResult rest = solver.solve(first.state, second);
  CHECK(fidelity.asked == 2);
  CHECK(rest.iterations == 7);
  CHECK(at::equal(rest.x, whole.x));
  // Nor is it looked for where nothing is left to do.
  SolverState done{.x = zero, .iterations = 7};
  solver.solve(done, second);
  CHECK(fidelity.asked == 2);
}

TEST_CASE("Where no constant is known a step must be given, and the message says so") {
  const Unknown fidelity(truth);
  const test::Shrink prior(0.9);
  CHECK_THROWS_AS(PnP(fidelity, prior).solve(zero), error::InvalidArgument);
  CHECK_THROWS_WITH(
      PnP(fidelity, prior).solve(zero),
      test::contains("pnp: no Lipschitz constant") && test::contains("give the options a step"));
  CHECK_NOTHROW(PnP(fidelity, prior, PnPOptions{.step = 0.5}).solve(zero));
  const test::Halfway known(truth);
  const Plain plain;
  CHECK_THROWS_WITH(GradientDescent(known, plain).solve(zero),
                    test::contains("gradient_descent: no Lipschitz constant"));
  CHECK_NOTHROW(
      GradientDescent(known, plain, GradientDescentOptions{.prior_weight = 0}).solve(zero));
  // An operator that sees nothing has no step either.
  const auto nothing = std::make_shared<Blur>(0 * gaussian_kernel(1.0, 1.0, 0.0));
  const L2 blind(nothing, nothing->forward(truth), truth);
  CHECK_THROWS_WITH(PnP(blind, prior).solve(zero), test::contains("of the gradient is 0"));
}
