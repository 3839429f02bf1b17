// SPDX-License-Identifier: BSD-3-Clause
#include "tessera/physics/stacked.hpp"

#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/autograd.h>

#include "adjoint.hpp"
#include "catch.hpp"
#include "physics_golden.hpp"
#include "tessera/core/error.hpp"
#include "tessera/physics/blur.hpp"
#include "tessera/physics/gaussian_kernel.hpp"

namespace golden = test::golden::stacked;
using tessera::Blur;
using tessera::LinearPhysicsPtr;
using tessera::Padding;
using tessera::StackedPhysics;
using tessera::Tensor;
using tessera::TensorList;
using test::golden::deviation;

namespace {

StackedPhysics reference_stack(Padding padding = Padding::circular) {
  return StackedPhysics(3, [&](std::int64_t i) {
    const auto& shape = test::golden::kernels[static_cast<std::size_t>(i)];
    return std::make_shared<Blur>(
        tessera::gaussian_kernel(shape.sigma_h, shape.sigma_w, shape.angle_degrees), padding);
  });
}

}  // namespace

TEST_CASE("StackedPhysics reproduces the reference numbers", "[physics]") {
  const StackedPhysics physics = reference_stack();
  const Tensor x = test::sine_image(3, 40, 36);
  const TensorList y = physics.forward(0.9 * x);
  CHECK(deviation(physics.adjoint(y), golden::adjoint) < 1e-12);
  CHECK(deviation(physics.normal(x), golden::normal) < 1e-12);
  const TensorList again = physics.forward(physics.adjoint(y));
  REQUIRE(again.size() == 3);
  for (std::size_t i = 0; i < 3; ++i)
    CHECK(deviation(again[i], golden::forward_of_adjoint[i]) < 1e-12);
  CHECK(physics.norm_squared(x) == Approx(3.0).epsilon(1e-13));

  const tessera::ConjugateGradientOptions options{1e-4, 50};
  const Tensor solution = physics.pseudo_inverse(y, options);
  CHECK(deviation(solution, golden::pseudo_inverse_exact) < 5e-5);
  CHECK(deviation(solution, golden::pseudo_inverse) < 1e-3);
  const Tensor mean = physics.mean_of_pseudo_inverses(y, options);
  CHECK(deviation(mean, golden::mean_of_pseudo_inverses_exact) < 5e-5);
  CHECK(deviation(mean, golden::mean_of_pseudo_inverses) < 1e-3);
  CHECK(test::relative_error(mean, solution) > 1e-3);
}

TEST_CASE("StackedPhysics sums what its operators do", "[physics]") {
  const Tensor x = test::random({2, 3, 30, 28}, 1);
  for (const Padding padding : {Padding::circular, Padding::replicate}) {
    const StackedPhysics physics = reference_stack(padding);
    CHECK(physics.operator_count() == 3);
    CHECK(physics.held() == std::vector<std::int64_t>({0, 1, 2}));
    CHECK(test::adjoint_error(physics, x) < 1e-14);
    CHECK(physics.has_normal_filter(x) == (padding == Padding::circular));

    Tensor normal = at::zeros_like(x);
    const TensorList y = physics.forward(x);
    for (std::int64_t i = 0; i < 3; ++i) {
      CHECK(y[static_cast<std::size_t>(i)].equal(physics.at(i).forward(x).front()));
      normal += physics.at(i).normal(x);
    }
    CHECK(test::relative_error(physics.normal(x), normal) < 1e-13);
  }
}

TEST_CASE("A stack transforms an image once for the operators that share its transform",
          "[physics]") {
  // By FFT, from the definition, and of another size of measurement, in turn.
  const Tensor kernel = test::random({1, 1, 5, 4}, 3);
  const auto blur = [&](Padding padding, tessera::ConvolutionMethod method) {
    return std::make_shared<Blur>(kernel, tessera::BlurOptions{padding, method});
  };
  using tessera::ConvolutionMethod;
  const std::vector<LinearPhysicsPtr> operators = {
      blur(Padding::circular, ConvolutionMethod::fourier),
      blur(Padding::circular, ConvolutionMethod::direct),
      blur(Padding::valid, ConvolutionMethod::fourier),
      std::make_shared<Blur>(test::random({1, 3, 6, 7}, 4), Padding::circular)};
  const StackedPhysics stack(operators);
  for (const auto& [type, tolerance] : {std::pair{at::kDouble, 1e-14}, {at::kFloat, 1e-6}}) {
    const Tensor x = test::random({2, 3, 15, 22}, 1).to(type);
    CHECK(operators[0]->transfer_function(x).defined());
    CHECK_FALSE(operators[1]->transfer_function(x).defined());
    CHECK_FALSE(operators[2]->transfer_function(x).defined());
    CHECK(operators[3]->transfer_function(x).defined());
    CHECK_FALSE(stack.transfer_function(x).defined());

    const TensorList y = stack.forward(x);
    Tensor adjoint = at::zeros_like(x);
    for (std::size_t i = 0; i < operators.size(); ++i) {
      CHECK(y[i].scalar_type() == type);
      CHECK(test::relative_error(y[i], operators[i]->forward(x).front()) < tolerance);
      adjoint += operators[i]->adjoint({y[i]});
    }
    CHECK(test::relative_error(stack.adjoint(y), adjoint) < tolerance);
  }
}

TEST_CASE("A stack is differentiable through shared transforms", "[physics]") {
  const StackedPhysics physics = reference_stack();
  const Tensor x = test::random({1, 3, 20, 18}, 1).requires_grad_(true);
  const TensorList y = physics.forward(x);
  const TensorList v = {test::random(y[0].sizes(), 2), test::random(y[1].sizes(), 3),
                        test::random(y[2].sizes(), 4)};
  const Tensor gradient = torch::autograd::grad(y, {x}, v).front();
  CHECK(test::relative_error(gradient, physics.adjoint(v)) < 1e-13);

  TensorList leaves;
  for (const Tensor& one : v) leaves.push_back(one.detach().requires_grad_(true));
  const Tensor back = physics.adjoint(leaves);
  const auto gradients = torch::autograd::grad({back}, {leaves[0], leaves[2]}, {x.detach()});
  CHECK(test::relative_error(gradients[0], y[0].detach()) < 1e-13);
  CHECK(test::relative_error(gradients[1], y[2].detach()) < 1e-13);
}

TEST_CASE("A stack has a spectrum only if each of its operators has one", "[physics]") {
  const Tensor kernel = tessera::gaussian_kernel(1, 2, 30);
  const StackedPhysics mixed({std::make_shared<Blur>(kernel, Padding::circular),
                              std::make_shared<Blur>(kernel, Padding::valid)});
  const Tensor x = test::random({1, 1, 24, 25}, 1);
  CHECK_FALSE(mixed.has_normal_filter(x));
  CHECK(test::adjoint_error(mixed, x) < 1e-14);
  CHECK(mixed.forward(x).front().sizes() != mixed.forward(x).back().sizes());
  CHECK(test::relative_error(mixed.normal(x), mixed.at(0).normal(x) + mixed.at(1).normal(x)) <
        1e-13);
}

TEST_CASE("Eight directional blurs have norm 8", "[physics]") {
  for (const auto type : {at::kFloat, at::kDouble}) {
    const StackedPhysics physics(8, [](std::int64_t i) {
      return std::make_shared<Blur>(
          tessera::gaussian_kernel(5.12, 2.56, 180.0 * static_cast<double>(i) / 7),
          Padding::circular);
    });
    CHECK(physics.norm_squared(at::zeros({1, 3, 160, 256}, type)) ==
          Approx(8.0).epsilon(type == at::kFloat ? 1e-6 : 1e-13));
  }
}

TEST_CASE("StackedPhysics refuses what it cannot stack", "[physics]") {
  using tessera::error::InvalidArgument;
  CHECK_THROWS_AS(StackedPhysics(std::vector<LinearPhysicsPtr>{}), InvalidArgument);
  CHECK_THROWS_AS(StackedPhysics(std::vector<LinearPhysicsPtr>{nullptr}), InvalidArgument);
  const auto stack = std::make_shared<StackedPhysics>(reference_stack());
  CHECK_THROWS_WITH(StackedPhysics({stack}), test::contains("3 operators"));
  CHECK_THROWS_AS(stack->at(3), InvalidArgument);
  CHECK_THROWS_AS(stack->at(-1), InvalidArgument);
  const Tensor x = test::random({1, 3, 40, 36}, 1);
  TensorList y = stack->forward(x);
  y[1] = y[1].narrow(3, 0, 35);
  CHECK_THROWS_WITH(stack->adjoint(y), test::contains("the measurement of held operator 1"));
  y.pop_back();
  CHECK_THROWS_WITH(stack->adjoint(y), test::contains("got 2 measurements, expected 3"));
  CHECK_THROWS_WITH(stack->mean_of_pseudo_inverses(y), test::contains("expected 3"));

  const StackedPhysics of_two_sizes(
      {std::make_shared<Blur>(test::random({1, 1, 4, 4}, 2), Padding::valid),
       std::make_shared<Blur>(test::random({1, 1, 5, 5}, 3), Padding::valid)});
  CHECK_THROWS_WITH(of_two_sizes.adjoint({x, x}), test::contains("adjoint: an operator's image"));
}
