// SPDX-License-Identifier: BSD-3-Clause
#include "tessera/fidelity/weighted_l2.hpp"

#include <ATen/ops/complex.h>
#include <ATen/ops/full.h>

#include <algorithm>
#include <array>
#include <limits>
#include <string>
#include <vector>

#include "adjoint.hpp"
#include "catch.hpp"
#include "fidelities.hpp"
#include "tessera/core/error.hpp"
#include "tessera/physics/blur.hpp"
#include "tessera/physics/fourier_sampling.hpp"
#include "tessera/physics/gaussian_kernel.hpp"
#include "tessera/physics/stacked.hpp"

using tessera::Blur;
using tessera::L2;
using tessera::L2Options;
using tessera::LinearPhysicsPtr;
using tessera::Padding;
using tessera::StackedPhysics;
using tessera::Tensor;
using tessera::TensorList;
using tessera::WeightedL2;

namespace {

LinearPhysicsPtr two_blurs(Padding padding) {
  return std::make_shared<StackedPhysics>(2, [&](std::int64_t i) {
    return std::make_shared<Blur>(
        tessera::gaussian_kernel(1.5, 0.5 + 0.4 * static_cast<double>(i), 30), padding);
  });
}

/// Data of another image than the tests look at, and weights: a number, one for each row, a map.
struct Case {
  std::string what;
  Padding padding;
  bool is_fused;
  TensorList weights;
};

std::vector<Case> cases() {
  const auto number = [](double weight) { return at::full({}, weight, at::kDouble); };
  const Tensor map = test::random({1, 3, 26, 27}, 5).square();
  return {
      {"numbers", Padding::circular, true, {number(0.3), number(4)}},
      {"numbers, of one dimension", Padding::circular, true, {number(2).view({1}), number(0)}},
      {"numbers, borders that have no filter", Padding::reflect, false, {number(0.3), number(4)}},
      {"a number and a map", Padding::circular, false, {number(0.3), map}},
      {"a map and rows", Padding::reflect, false, {map, map.narrow(3, 0, 1)}}};
}

}  // namespace

TEST_CASE("WeightedL2 agrees with its definition, fused where weights are numbers", "[fidelity]") {
  const Tensor x = test::random({2, 3, 26, 27}, 1);
  for (const Case& each : cases()) {
    CAPTURE(each.what);
    const LinearPhysicsPtr physics = two_blurs(each.padding);
    const TensorList predicted = physics->forward(x);
    TensorList y = physics->forward(test::random({2, 3, 26, 27}, 2));
    double expected = 0;
    TensorList residuals;
    for (std::size_t i = 0; i < y.size(); ++i) {
      y[i] = y[i] + 0.1 * test::random(y[i].sizes(), 3 + i);
      residuals.push_back(each.weights[i] * (predicted[i] - y[i]));
      expected += 0.5 / 0.49 * (residuals[i] * (predicted[i] - y[i])).sum().item<double>();
    }
    L2Options options{.sigma = 0.7};
    options.conjugate_gradient = {1e-12, 1000};
    const WeightedL2 fidelity(physics, y, each.weights, x, options);
    CHECK(fidelity.name() == "weighted_l2");
    CHECK(fidelity.is_fused() == each.is_fused);
    CHECK(fidelity.value(x) == Approx(expected).epsilon(1e-12));
    CHECK(test::relative_error(fidelity.gradient(x), physics->adjoint(residuals) / 0.49) < 1e-12);

    test::check_gradient_and_prox(fidelity, x);

    // No gradient is steeper than the constant says.
    const Tensor direction = test::random(x.sizes(), 9);
    const double steepest = fidelity.gradient_lipschitz(x).value();
    const Tensor change = fidelity.gradient(x + direction) - fidelity.gradient(x);
    CHECK(change.norm().item<double>() <= steepest * direction.norm().item<double>());
  }
}

TEST_CASE("The proximal operator of WeightedL2 minimises, by brute force", "[fidelity]") {
  // Pixels by themselves: y, weight, z, step.
  const auto identity = std::make_shared<Blur>(at::full({1, 1, 1, 1}, 1.0, at::kDouble));
  for (const auto& [y, weight, z, step] :
       std::vector<std::array<double, 4>>{{0.5, 3, -1, 0.4}, {-2, 0.1, 1.5, 2}, {1, 0, 0.3, 1}}) {
    CAPTURE(y, weight, z, step);
    const auto pixel = [](double value) { return at::full({1, 1, 1, 1}, value, at::kDouble); };
    const WeightedL2 fidelity(identity, {pixel(y)}, {pixel(weight)}, pixel(0));
    double best = 0;
    for (double reach = 4; reach > 1e-6; reach /= 8) {
      const double centre = best;
      double least = std::numeric_limits<double>::infinity();
      for (int i = -16; i <= 16; ++i) {
        const double v = centre + reach * i / 16;
        const double objective = step * 0.5 * weight * (v - y) * (v - y) + 0.5 * (v - z) * (v - z);
        if (objective < least) best = v;
        least = std::min(least, objective);
      }
    }
    CHECK(fidelity.prox(pixel(z), step).item<double>() == Approx(best).margin(1e-6));
  }
}

TEST_CASE("WeightedL2 of one weight is L2 of that variance, of complex data too", "[fidelity]") {
  const LinearPhysicsPtr physics = two_blurs(Padding::circular);
  const Tensor x = test::random({1, 2, 12, 10}, 1);
  const TensorList y = physics->forward(test::random({1, 2, 12, 10}, 2));
  const L2 plain(physics, y, x, {.sigma = 0.5});
  const WeightedL2 weighted(physics, y, 4.0, x);
  CHECK(weighted.is_fused());
  CHECK(weighted.value(x) == Approx(plain.value(x)).epsilon(1e-12));
  CHECK(test::relative_error(weighted.gradient(x), plain.gradient(x)) < 1e-12);
  CHECK(test::relative_error(weighted.prox(x, 0.2), plain.prox(x, 0.2)) < 1e-12);

  const auto sampling = std::make_shared<tessera::FourierSampling>(
      (test::random({12, 10}, 3) > -0.5).to(at::kDouble));
  const Tensor k = sampling->forward(test::random({1, 2, 12, 10}, 4)).front();
  const Tensor weights = test::random(k.sizes(), 5).square();
  const Tensor residual = sampling->forward(x).front() - k;
  CHECK(WeightedL2(sampling, {k}, {weights}, x).value(x) ==
        Approx(0.5 * (weights * residual.abs().square()).sum().item<double>()).epsilon(1e-12));
}

TEST_CASE("WeightedL2 in single precision", "[fidelity]") {
  const LinearPhysicsPtr physics = two_blurs(Padding::circular);
  const Tensor x = test::random({1, 2, 12, 10}, 1);
  const TensorList y = physics->forward(test::random({1, 2, 12, 10}, 2));
  const TensorList weights(2, test::random({1, 1, 12, 10}, 3).square());
  const WeightedL2 exact(physics, y, weights, x);
  const Tensor single = x.to(at::kFloat);
  const WeightedL2 fidelity(physics, {y[0].to(at::kFloat), y[1].to(at::kFloat)}, weights, single);
  CHECK(fidelity.gradient(single).scalar_type() == at::kFloat);
  CHECK(test::relative_error(fidelity.gradient(single), exact.gradient(x)) < 1e-5);
}

TEST_CASE("WeightedL2 says what does not fit", "[fidelity]") {
  using tessera::error::InvalidArgument;
  using tessera::error::ShapeMismatch;
  const LinearPhysicsPtr physics = two_blurs(Padding::circular);
  const Tensor x = test::random({1, 2, 12, 10}, 1);
  const TensorList y = physics->forward(x);
  const Tensor one = at::full({}, 1.0, at::kDouble);
  CHECK_THROWS_WITH(WeightedL2(physics, y, TensorList{one}, x),
                    test::contains("got 2 measurements and 1 weights, expected 2 of each"));
  CHECK_THROWS_WITH(WeightedL2(physics, y, {one, -one}, x),
                    test::contains("WeightedL2: a weight of held operator 1 is -1, expected 0"));
  CHECK_THROWS_AS(WeightedL2(physics, y, {one, one / 0.0}, x), InvalidArgument);
  CHECK_THROWS_AS(WeightedL2(physics, y, {one, Tensor()}, x), ShapeMismatch);
  CHECK_THROWS_AS(WeightedL2(physics, y, {one, at::complex(one, one)}, x), ShapeMismatch);
  CHECK_THROWS_WITH(WeightedL2(physics, y, {one, x.narrow(2, 0, 5)}, x),
                    test::contains("that broadcasts to the measurement, [1, 2, 12, 10]"));
  CHECK_THROWS_AS(WeightedL2(physics, y, -1.0, x), InvalidArgument);
  CHECK_THROWS_AS(WeightedL2(nullptr, y, 1.0, x), InvalidArgument);
}
