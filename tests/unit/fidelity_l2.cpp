// SPDX-License-Identifier: BSD-3-Clause
#include "tessera/fidelity/l2.hpp"

#include "adjoint.hpp"
#include "catch.hpp"
#include "fidelities.hpp"
#include "physics_golden.hpp"
#include "tessera/core/error.hpp"
#include "tessera/physics/blur.hpp"
#include "tessera/physics/gaussian_kernel.hpp"
#include "tessera/physics/stacked.hpp"

namespace golden = test::golden::stacked;
using tessera::Blur;
using tessera::L2;
using tessera::L2Options;
using tessera::LinearPhysicsPtr;
using tessera::Padding;
using tessera::StackedPhysics;
using tessera::Tensor;
using tessera::TensorList;
using test::golden::deviation;

namespace {

LinearPhysicsPtr reference_stack(Padding padding = Padding::circular) {
  return std::make_shared<StackedPhysics>(3, [&](std::int64_t i) {
    const auto& shape = test::golden::kernels[static_cast<std::size_t>(i)];
    return std::make_shared<Blur>(
        tessera::gaussian_kernel(shape.sigma_h, shape.sigma_w, shape.angle_degrees), padding);
  });
}

L2Options with_sigma(double sigma, bool fused) {
  L2Options options;
  options.sigma = sigma;
  options.fused = fused;
  return options;
}

}  // namespace

TEST_CASE("L2 reproduces the reference value, gradient and proximal operator", "[fidelity]") {
  const LinearPhysicsPtr physics = reference_stack();
  const Tensor x = test::sine_image(3, 40, 36);
  const TensorList y = physics->forward(0.9 * x);
  for (const bool fused : {true, false}) {
    const L2 fidelity(physics, y, x, with_sigma(0.5, fused));
    CHECK(fidelity.is_fused() == fused);
    CHECK(fidelity.value(x) == Approx(golden::value).epsilon(1e-10));
    CHECK(deviation(fidelity.gradient(x), golden::gradient) < 1e-10);
    CHECK(deviation(fidelity.adjoint_of_data(), golden::adjoint) < 1e-12);

    // gamma / sigma^2 = 2
    const L2 unit(physics, y, x, with_sigma(1.0, fused));
    CHECK(deviation(unit.prox(0.5 * x, 2.0), golden::prox_exact) < 1e-10);
    CHECK(deviation(unit.prox(0.5 * x, 2.0), golden::prox) < 1e-3);
    CHECK(test::relative_error(fidelity.prox(0.5 * x, 0.5), unit.prox(0.5 * x, 2.0)) < 1e-12);
  }
}

TEST_CASE("L2 agrees with its definition for every padding", "[fidelity]") {
  for (const Padding padding : {Padding::circular, Padding::reflect, Padding::valid}) {
    CAPTURE(tessera::to_string(padding));
    const LinearPhysicsPtr physics = reference_stack(padding);
    const Tensor x = test::random({2, 3, 26, 27}, 1);
    TensorList y = physics->forward(test::random({2, 3, 26, 27}, 2));
    double expected = 0;
    const TensorList predicted = physics->forward(x);
    for (std::size_t i = 0; i < y.size(); ++i) {
      y[i] = y[i] + 0.1 * test::random(y[i].sizes(), 3 + i);
      expected += 0.5 * (predicted[i] - y[i]).square().sum().item<double>() / 0.49;
    }
    L2Options options = with_sigma(0.7, true);
    options.conjugate_gradient = {1e-12, 1000};
    const L2 fidelity(physics, y, x, options);
    CHECK(fidelity.is_fused() == (padding == Padding::circular));
    CHECK(fidelity.value(x) == Approx(expected).epsilon(1e-12));

    test::check_gradient_and_prox(fidelity, x);
  }
}

TEST_CASE("L2 in single precision, fused and sharded alike", "[fidelity]") {
  const LinearPhysicsPtr physics = reference_stack();
  const Tensor x = test::sine_image(3, 64, 60);
  const TensorList y = physics->forward(0.9 * x);
  TensorList y_single;
  for (const Tensor& measurement : y) y_single.push_back(measurement.to(at::kFloat));
  const L2 exact(physics, y, x, with_sigma(0.5, false));
  for (const bool fused : {true, false}) {
    const L2 single(physics, y_single, x.to(at::kFloat), with_sigma(0.5, fused));
    CHECK(single.value(x.to(at::kFloat)) == Approx(exact.value(x)).epsilon(1e-4));
    CHECK(test::relative_error(single.gradient(x.to(at::kFloat)), exact.gradient(x)) < 1e-5);
    CHECK(test::relative_error(single.prox(x.to(at::kFloat), 0.5), exact.prox(x, 0.5)) < 1e-5);
  }
}

TEST_CASE("L2 can work without the measurements once it is fused", "[fidelity]") {
  const LinearPhysicsPtr physics = reference_stack();
  const Tensor x = test::sine_image(3, 40, 36);
  L2Options options;
  options.drop_measurements = true;
  const L2 fidelity(physics, physics->forward(0.9 * x), x, options);
  CHECK(fidelity.value(x) == Approx(0.25 * golden::value).epsilon(1e-10));
  CHECK(test::relative_error(
            4 * fidelity.gradient(x),
            L2(physics, physics->forward(0.9 * x), x, with_sigma(0.5, false)).gradient(x)) < 1e-12);
}

TEST_CASE("L2 says what does not fit", "[fidelity]") {
  using tessera::error::InvalidArgument;
  using tessera::error::ShapeMismatch;
  const LinearPhysicsPtr physics = reference_stack();
  const Tensor x = test::sine_image(3, 40, 36);
  const TensorList y = physics->forward(x);
  CHECK_THROWS_AS(L2(physics, {y[0], y[1]}, x), ShapeMismatch);
  CHECK_THROWS_AS(L2(nullptr, y, x), InvalidArgument);
  CHECK_THROWS_AS(L2(physics, y, test::sine_image(3, 40, 38)), ShapeMismatch);
  CHECK_THROWS_AS(L2(physics, y, x, with_sigma(0, true)), InvalidArgument);
  const L2 fidelity(physics, y, x);
  CHECK_THROWS_AS(fidelity.prox(x, 0), InvalidArgument);
  CHECK_THROWS_AS(fidelity.gradient(test::sine_image(3, 40, 38)), ShapeMismatch);
  CHECK_THROWS_AS(fidelity.value(test::sine_image(3, 41, 36)), ShapeMismatch);
  CHECK_THROWS_AS(fidelity.prox(test::sine_image(3, 41, 36), 1.0), ShapeMismatch);
}
