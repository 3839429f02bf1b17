// SPDX-License-Identifier: BSD-3-Clause
#include "tessera/fidelity/clipped_l2.hpp"

#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>

#include <cmath>
#include <numbers>

#include "adjoint.hpp"
#include "catch.hpp"
#include "tessera/core/error.hpp"
#include "tessera/fidelity/l2.hpp"
#include "tessera/physics/blur.hpp"
#include "tessera/physics/gaussian_kernel.hpp"
#include "tessera/physics/stacked.hpp"

using tessera::Blur;
using tessera::ClippedL2;
using tessera::ClippedL2Options;
using tessera::L2;
using tessera::LinearPhysicsPtr;
using tessera::Padding;
using tessera::StackedPhysics;
using tessera::Tensor;
using tessera::TensorList;

namespace {

/// Two blurs.
LinearPhysicsPtr blurs(Padding padding = Padding::circular) {
  return std::make_shared<StackedPhysics>(2, [&](std::int64_t i) {
    return std::make_shared<Blur>(tessera::gaussian_kernel(1.0 + 0.5 * static_cast<double>(i), 1.5),
                                  padding);
  });
}

LinearPhysicsPtr identity() {
  return std::make_shared<Blur>(at::full({1, 1, 1, 1}, 1.0, at::kDouble), Padding::circular);
}

Tensor filled(double value, at::IntArrayRef shape = {1, 1, 2, 2}) {
  return at::full(shape, value, at::kDouble);
}

/// Measurements of an image beyond the range at both ends, clipped.
TensorList clipped_data(const LinearPhysicsPtr& physics, at::IntArrayRef shape) {
  TensorList y = physics->forward(0.5 + 0.8 * test::random(shape, 2));
  std::int64_t inside = 0;
  for (std::size_t i = 0; i < y.size(); ++i) {
    y[i] = (y[i] + 0.3 * test::random(y[i].sizes(), 3 + i)).clamp(0, 1);
    CHECK((y[i] == 0).any().item<bool>());
    CHECK((y[i] == 1).any().item<bool>());
    inside += ((y[i] > 0) & (y[i] < 1)).sum().item<std::int64_t>();
  }
  CHECK(inside > 0);
  return y;
}

}  // namespace

TEST_CASE("ClippedL2 is the logarithm of the clipped Gaussian's likelihood", "[fidelity]") {
  const double sigma = 0.2;
  const auto value = [&](double u, double y) {
    const ClippedL2 fidelity(identity(), {filled(y)}, {.sigma = sigma, .low = -1, .high = 2});
    return fidelity.value(filled(u)) / 4;
  };
  const auto tail = [](double t) { return 0.5 * std::erfc(t / std::numbers::sqrt2); };
  for (const double u : {-1.5, -1.0, -0.9, 0.0, 0.4, 1.9, 2.0, 2.3}) {
    CAPTURE(u);
    CHECK(value(u, 0.3) == Approx(0.5 * (u - 0.3) * (u - 0.3)));
    CHECK(value(u, -1) == Approx(-sigma * sigma * std::log(tail((u + 1) / sigma))));
    CHECK(value(u, -7) == value(u, -1));
    CHECK(value(u, 2) == Approx(-sigma * sigma * std::log(tail((2 - u) / sigma))));
  }
  // Where the probability is too small for a floating-point number: close to half the square.
  CHECK(value(99, -1) == Approx(0.5 * 100 * 100).epsilon(1e-3));
}

TEST_CASE("ClippedL2 has the gradient of its value", "[fidelity]") {
  for (const Padding padding : {Padding::circular, Padding::reflect}) {
    const LinearPhysicsPtr physics = blurs(padding);
    const Tensor x = test::random({2, 3, 14, 15}, 1);
    const ClippedL2 fidelity(physics, clipped_data(physics, x.sizes()), {.sigma = 0.3});
    const Tensor direction = test::random(x.sizes(), 9);
    const double difference =
        (fidelity.value(x + 1e-4 * direction) - fidelity.value(x - 1e-4 * direction)) / 2e-4;
    const Tensor gradient = fidelity.gradient(x);
    const Tensor other_layout = x.contiguous(at::MemoryFormat::ChannelsLast);
    CHECK(test::relative_error(fidelity.gradient(other_layout), gradient) < 1e-14);
    CHECK((gradient * direction).sum().item<double>() == Approx(difference).epsilon(1e-7));

    // Convex, and no more curved than least squares.
    const double curvature =
        ((fidelity.gradient(x + direction) - gradient) * direction).sum().item<double>();
    CHECK(curvature > 0);
    CHECK(curvature < (physics->normal(direction) * direction).sum().item<double>());
  }
}

TEST_CASE("ClippedL2 is L2 where nothing was clipped", "[fidelity]") {
  const LinearPhysicsPtr physics = blurs();
  const Tensor x = test::random({1, 1, 12, 13}, 1);
  const TensorList y = physics->forward(x);
  const L2 plain(physics, y, x);
  const ClippedL2 clipped(physics, y, {.low = -100, .high = 100});
  const Tensor other = test::random(x.sizes(), 2);
  CHECK(clipped.value(other) == Approx(plain.value(other)));
  CHECK(test::relative_error(clipped.gradient(other), plain.gradient(other)) < 1e-12);
  CHECK(test::relative_error(clipped.prox(other, 0.7), plain.prox(other, 0.7)) < 1e-12);
}

TEST_CASE("ClippedL2's proximal operator solves its equation", "[fidelity]") {
  for (const Padding padding : {Padding::circular, Padding::reflect}) {
    const LinearPhysicsPtr physics = blurs(padding);
    const Tensor z = test::random({1, 2, 12, 13}, 1);
    ClippedL2Options options{.sigma = 0.3, .tolerance = 1e-12, .max_iterations = 500};
    options.conjugate_gradient = {1e-13, 500};
    const TensorList y = clipped_data(physics, z.sizes());
    const ClippedL2 fidelity(physics, y, options);
    const Tensor u = fidelity.prox(z, 0.8);
    CHECK(test::relative_error(u + 0.8 * fidelity.gradient(u), z) < 1e-9);

    // Fewer rounds come less far, but each of them forward.
    const auto objective = [&](const Tensor& v) {
      return 0.8 * fidelity.value(v) + 0.5 * (v - z).square().sum().item<double>();
    };
    double last = objective(z);
    for (const std::int64_t rounds : {1, 2, 3}) {
      options.max_iterations = rounds;
      const double now = objective(ClippedL2(physics, y, options).prox(z, 0.8));
      CHECK(now < last);
      last = now;
    }
    CHECK(objective(u) < last);
  }
}

TEST_CASE("An image of a batch ends in ClippedL2's prox as if alone", "[fidelity]") {
  const LinearPhysicsPtr physics = blurs(Padding::reflect);
  const Tensor easy = 0.5 + 0.8 * test::random({1, 1, 12, 13}, 7);  // settles in other rounds
  const Tensor hard = 3 * test::random({1, 1, 12, 13}, 6);
  ClippedL2Options options{.sigma = 0.3, .tolerance = 1e-2, .max_iterations = 50};
  options.conjugate_gradient = {1e-13, 500};
  const auto prox = [&](const Tensor& z) {
    TensorList y = physics->forward(z);
    for (Tensor& each : y) each = each.clamp(0, 1);
    return ClippedL2(physics, y, options).prox(0.2 * z, 50.0);
  };
  const Tensor both = prox(at::cat({easy, hard}));
  CHECK(test::relative_error(both.narrow(0, 0, 1), prox(easy)) < 1e-9);
  CHECK(test::relative_error(both.narrow(0, 1, 1), prox(hard)) < 1e-9);
}

TEST_CASE("The truth is where ClippedL2's gradient vanishes on average, unlike that of L2",
          "[fidelity]") {
  const double sigma = 0.1;
  for (const double truth : {0.0, 0.05, 0.5, 1.0}) {
    CAPTURE(truth);
    const Tensor x = filled(truth, {1, 1, 400, 400});
    const Tensor noise = sigma * test::random(x.sizes(), 5);
    const TensorList y = {(x + noise).clamp(0, 1)};
    const ClippedL2 clipped(identity(), y, {.sigma = sigma});
    const double five_deviations = 5 * sigma / 400;
    CHECK(std::abs(clipped.gradient(x).mean().item<double>()) < five_deviations);
    const double bias = std::abs(L2(identity(), y, x).gradient(x).mean().item<double>());
    CHECK((truth == 0.5 ? bias < five_deviations : bias > 2 * five_deviations));
  }
}

TEST_CASE("ClippedL2 in single precision", "[fidelity]") {
  const LinearPhysicsPtr physics = blurs();
  const Tensor x = test::random({1, 1, 12, 13}, 1);
  const TensorList y = clipped_data(physics, x.sizes());
  TensorList y_single;
  for (const Tensor& measurement : y) y_single.push_back(measurement.to(at::kFloat));
  const ClippedL2 exact(physics, y, {.sigma = 0.1});
  const ClippedL2 single(physics, y_single, {.sigma = 0.1});
  const Tensor far = 5 * x;  // 50 standard deviations beyond the range
  CHECK(single.value(far.to(at::kFloat)) == Approx(exact.value(far)).epsilon(1e-5));
  CHECK(test::relative_error(single.gradient(far.to(at::kFloat)), exact.gradient(far)) < 1e-5);
  CHECK(test::relative_error(single.prox(far.to(at::kFloat), 1), exact.prox(far, 1)) < 1e-5);
}

TEST_CASE("ClippedL2 says what does not fit", "[fidelity]") {
  using tessera::error::InvalidArgument;
  using tessera::error::ShapeMismatch;
  const TensorList y = {filled(0.5)};
  CHECK_THROWS_AS(ClippedL2(identity(), y, {.sigma = 0}), InvalidArgument);
  CHECK_THROWS_AS(ClippedL2(identity(), y, {.low = 1, .high = 1}), InvalidArgument);
  CHECK_THROWS_AS(ClippedL2(identity(), y, {.max_iterations = 0}), InvalidArgument);
  CHECK_THROWS_AS(ClippedL2(identity(), {}, {}), ShapeMismatch);
  const ClippedL2 fidelity(identity(), y, {});
  CHECK_THROWS_AS(fidelity.value(filled(0.5, {1, 1, 3, 2})), ShapeMismatch);
  CHECK_THROWS_AS(fidelity.prox(filled(0.5, {1, 1, 3, 2}), 1), ShapeMismatch);
}
