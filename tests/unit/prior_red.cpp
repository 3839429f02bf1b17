// SPDX-License-Identifier: BSD-3-Clause
#include <ATen/ops/cos.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros_like.h>

#include "catch.hpp"
#include "tensors.hpp"
#include "tessera/core/error.hpp"
#include "tessera/fidelity/l2.hpp"
#include "tessera/physics/blur.hpp"
#include "tessera/physics/stacked.hpp"
#include "tessera/prior/red.hpp"
#include "tessera/solver/gradient_descent.hpp"
#include "toys.hpp"

using namespace tessera;

namespace {

const Tensor x = test::indexed({2, 3, 4, 5});

}  // namespace

TEST_CASE("The gradient of RED is x - D(x), its value 0.5 <x, x - D(x)>") {
  const RED prior(std::make_shared<test::Dimmer>(), 0.25);  // D(x) = 0.75 x
  CHECK(test::relative_error(prior.gradient(x), 0.25 * x) < 1e-14);
  CHECK(prior.value(x).value() == Approx(0.125 * x.square().sum().item<double>()));
  CHECK(prior.name() == "red(dimmer)");
  CHECK_THROWS_WITH(prior.prox(x, 0.1), test::contains("has no proximal operator"));
  CHECK_THROWS_AS(RED(nullptr, 0.1), error::InvalidArgument);
}

TEST_CASE("The gradient of RED is that of its value, for a linear denoiser") {
  // D(x) = 0.75 x is homogeneous with a symmetric Jacobian: the case in which the theory holds.
  const RED prior(std::make_shared<test::Dimmer>(), 0.25);
  const Tensor direction = test::indexed({2, 3, 4, 5}, 0.4);
  constexpr double h = 1e-5;
  const double slope =
      (prior.value(x + h * direction).value() - prior.value(x - h * direction).value()) / (2 * h);
  CHECK(slope == Approx((prior.gradient(x) * direction).sum().item<double>()));
}

TEST_CASE("Gradient descent repeats x <- clamp(x - step (grad f + weight grad g))") {
  const Tensor target = x.abs() * 0.8 + 0.1;
  const Tensor zero = at::zeros_like(target);
  const test::Halfway fidelity(target);
  const RED prior(std::make_shared<test::Dimmer>(), 0.25);
  GradientDescentOptions options{.step = 0.5, .prior_weight = 2.0};
  options.stopping.max_iterations = 3;
  // x <- x - 0.5 ((x - target) + 2 * 0.25 x) = 0.25 x + 0.5 target
  const double expected = 0.5 * (1 + 0.25 + 0.25 * 0.25);
  const SolveResult result = GradientDescent(fidelity, prior, options).solve(zero);
  CHECK(result.iterations == 3);
  CHECK(test::relative_error(result.x, expected * target) < 1e-14);

  SECTION("the fixed point is the minimum of f + weight g") {
    options.stopping.max_iterations = 100;
    CHECK(test::relative_error(GradientDescent(fidelity, prior, options).solve(zero).x,
                               target / 1.5) < 1e-14);
  }
  SECTION("iterates are clamped if a range is given") {
    const test::Halfway far(3 * target);
    options = {.step = 1.0, .prior_weight = 0.0};
    options.stopping.max_iterations = 1;
    CHECK(test::relative_error(GradientDescent(far, prior, options).solve(zero).x, 3 * target) <
          1e-14);
    options.clamp_range = std::pair{0.0, 1.0};
    CHECK(test::relative_error(GradientDescent(far, prior, options).solve(zero).x,
                               (3 * target).clamp(0, 1)) < 1e-14);
  }
}

TEST_CASE("RED by gradient descent equals deepinv's") {
  // deepinv 0.5.0: five steps of GDIteration with L2, RED and BlurFFT from zeros, stepsize 0.7,
  // lambda 0.4, sigma 0.3.
  const Tensor truth = test::sine_image(2, 9, 12);
  const Tensor kernel =
      at::tensor({1., 2., 3., 4., 5., 6., 7., 8., 9.}, at::kDouble).view({1, 1, 3, 3}) / 45;
  const auto physics = std::make_shared<StackedPhysics>(
      std::vector<LinearPhysicsPtr>{std::make_shared<Blur>(kernel)});
  const auto options = at::TensorOptions().dtype(at::kDouble);
  const Tensor i = at::arange(9, options).view({1, 1, -1, 1});
  const Tensor j = at::arange(12, options).view({1, 1, 1, -1});
  const Tensor y = physics->forward(truth).front() + 0.1 * at::cos(1.3 * i - 0.7 * j);
  const L2 fidelity(physics, {y}, truth);
  const RED prior(std::make_shared<test::Saturate>(), 0.3);
  CHECK(prior.gradient(truth).norm().item<double>() == Approx(1.672369948280298).epsilon(1e-13));

  GradientDescentOptions descent{.step = 0.7, .prior_weight = 0.4, .clamp_range = std::nullopt};
  descent.stopping.max_iterations = 5;
  const Tensor result =
      GradientDescent(fidelity, prior, descent).solve(at::zeros_like(truth)).x.squeeze(0);
  CHECK(result.norm().item<double>() == Approx(8.399626704689975).epsilon(1e-13));
  CHECK(result.sum().item<double>() == Approx(103.51767032318861).epsilon(1e-13));
  CHECK(result[0][0][0].item<double>() == Approx(0.620282490633638).epsilon(1e-12));
  CHECK(result[1][8][11].item<double>() == Approx(0.4043987477203432).epsilon(1e-12));
  CHECK(result[1][3][7].item<double>() == Approx(0.43969564568482833).epsilon(1e-12));
}
