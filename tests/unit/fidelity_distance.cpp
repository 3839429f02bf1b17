// SPDX-License-Identifier: BSD-3-Clause
#include "tessera/fidelity/distance.hpp"

#include <ATen/ops/complex.h>
#include <ATen/ops/full.h>
#include <ATen/ops/linspace.h>
#include <ATen/ops/special_log_ndtr.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/where.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>
#include <limits>

#include "adjoint.hpp"
#include "catch.hpp"
#include "distances.hpp"
#include "tessera/core/error.hpp"
#include "tessera/fidelity/clipped_squared_distance.hpp"
#include "tessera/fidelity/data_fidelity.hpp"
#include "tessera/fidelity/l2.hpp"
#include "tessera/fidelity/squared_distance.hpp"
#include "tessera/physics/blur.hpp"
#include "tessera/physics/gaussian_kernel.hpp"

using tessera::ClippedSquaredDistance;
using tessera::DataFidelity;
using tessera::Distance;
using tessera::DistancePtr;
using tessera::SquaredDistance;
using tessera::Tensor;
using tessera::TensorList;

namespace {

std::vector<DistancePtr> distances() {
  return {std::make_shared<SquaredDistance>(), std::make_shared<SquaredDistance>(0.4),
          std::make_shared<ClippedSquaredDistance>(
              tessera::ClippedSquaredDistanceOptions{.low = -1, .high = 2, .sigma = 0.3})};
}

/// |u - y|: a distance of a user's, with as little as one needs to write.
class Magnitude : public Distance {
 public:
  std::string name() const override { return "magnitude"; }

 private:
  double do_value(const Tensor& u, const Tensor& y) const override {
    return (u - y).abs().sum().item<double>();
  }
  Tensor do_gradient(const Tensor& u, const Tensor& y) const override { return (u - y).sign(); }
};

/// Predictions beside measurements at, beyond and between the ends of the range.
std::pair<Tensor, Tensor> points() {
  const Tensor u = at::linspace(-4, 5, 37, at::kDouble).view({37, 1}).expand({37, 6});
  const Tensor y = at::tensor({-3.0, -1.0, -0.9, 0.4, 2.0, 7.0}, at::kDouble).expand({37, 6});
  return {u.contiguous(), y.contiguous()};
}

}  // namespace

TEST_CASE("The gradient of a distance is that of its value", "[fidelity]") {
  const auto [u, y] = points();
  for (const DistancePtr& distance : distances()) {
    CAPTURE(distance->name());
    const Tensor gradient = distance->gradient(u, y);
    const double h = 1e-5;
    for (std::int64_t i = 0; i < u.numel(); ++i) {
      const double at_u = u.view(-1)[i].item<double>();
      const double at_y = y.view(-1)[i].item<double>();
      const double slope =
          (test::value_at(*distance, at_u + h, at_y) - test::value_at(*distance, at_u - h, at_y)) /
          (2 * h);
      CHECK(gradient.view(-1)[i].item<double>() == Approx(slope).epsilon(1e-6).margin(1e-8));
    }
    // No steeper than the curvature allows.
    const double bound = distance->curvature(y).value();
    const Tensor rise = distance->gradient(u + h, y) - gradient;
    CHECK(rise.min().item<double>() >= 0);
    CHECK(rise.max().item<double>() <= bound * h * (1 + 1e-6));
    CHECK(rise.max().item<double>() >= 0.99 * bound * h);
  }
}

TEST_CASE("The gradients of distances agree with automatic differentiation", "[fidelity]") {
  const auto [u, y] = points();
  const Tensor leaf = u.clone().requires_grad_(true);
  const Tensor squares = 0.5 * (leaf - y).square();
  const double sigma = 0.3;
  const Tensor low = -sigma * sigma * at::special_log_ndtr((-1 - leaf) / sigma);
  const Tensor high = -sigma * sigma * at::special_log_ndtr((leaf - 2) / sigma);
  const Tensor tobit = at::where(y <= -1, low, at::where(y >= 2, high, squares)).sum();
  const auto parts = distances();
  CHECK(parts[2]->value(u, y) == Approx(tobit.item<double>()).epsilon(1e-12));
  const Tensor expected = torch::autograd::grad({tobit}, {leaf}).front();
  CHECK(test::relative_error(parts[2]->gradient(u, y), expected) < 1e-12);
  const Tensor scaled = 0.5 * (leaf - y).square().sum() / 0.16;
  CHECK(parts[1]->value(u, y) == Approx(scaled.item<double>()).epsilon(1e-12));
  CHECK(test::relative_error(parts[1]->gradient(u, y),
                             torch::autograd::grad({scaled}, {leaf}).front()) < 1e-14);
}

TEST_CASE("The proximal operators of distances minimise what they say", "[fidelity]") {
  const auto [u, y] = points();
  for (const DistancePtr& distance : distances()) {
    CAPTURE(distance->name());
    for (const double step : {0.05, 1.0, 30.0, 1e6}) {
      CAPTURE(step);
      const Tensor v = distance->prox(u, y, step);
      // Where the derivative of step d(v, y) + 0.5 (v - u)^2 vanishes.
      const Tensor residual = v + step * distance->gradient(v, y) - u;
      CHECK(residual.abs().max().item<double>() < 1e-13 * (1 + step / 0.16) * 10);
      for (std::int64_t i = 0; step < 1e3 && i < u.numel(); i += 31) {
        const double least = test::brute_force_prox(
            *distance, u.view(-1)[i].item<double>(), y.view(-1)[i].item<double>(), step,
            {.reach = 12, .end = 1e-7, .shrink = 0.15, .steps = 20});
        CHECK(v.view(-1)[i].item<double>() == Approx(least).margin(2e-6));
      }
      const Tensor single = distance->prox(u.to(at::kFloat), y.to(at::kFloat), step);
      CHECK((single - v).abs().max().item<double>() < 1e-5);
    }
  }
}

TEST_CASE("Moreau's identity ties a proximal operator to that of the conjugate", "[fidelity]") {
  const auto [u, y] = points();
  for (const DistancePtr& distance : distances()) {
    for (const double step : {0.2, 5.0}) {
      const Tensor p = distance->conjugate_prox(u, y, step);
      CHECK(test::relative_error(p + step * distance->prox(u / step, y, 1 / step), u) < 1e-14);
      // p is a subgradient where (u - p) / step is the point: p = d'((u - p) / step).
      CHECK(test::relative_error(distance->gradient((u - p) / step, y), p) < 1e-11);
    }
  }
  // d*(p, y) = sigma^2 p^2 / 2 + p y, so prox_{t d*}(u) = (u - t y) / (1 + t sigma^2).
  const SquaredDistance squared(0.4);
  CHECK(test::relative_error(squared.conjugate_prox(u, y, 5.0), (u - 5 * y) / (1 + 5 * 0.16)) <
        1e-14);
}

TEST_CASE("The squared distance of complex measurements counts both parts", "[fidelity]") {
  const Tensor u = at::complex(test::random({3, 5}, 1), test::random({3, 5}, 2));
  const Tensor y = at::complex(test::random({3, 5}, 3), test::random({3, 5}, 4));
  const SquaredDistance distance(0.5);
  CHECK(distance.value(u, y) ==
        Approx(2 * (u - y).abs().square().sum().item<double>()).epsilon(1e-13));
  CHECK((distance.gradient(u, y) - 4 * (u - y)).abs().max().item<double>() < 1e-14);
  CHECK((distance.prox(u, y, 2.0) - (u + 8 * y) / 9).abs().max().item<double>() < 1e-14);
  CHECK_THROWS_WITH(distances()[2]->check_data(y), test::contains("complex measurements"));
}

TEST_CASE("A data fidelity is a distance bound to physics and measurements", "[fidelity]") {
  const auto blur = std::make_shared<tessera::Blur>(tessera::gaussian_kernel(1.2, 0.8, 20),
                                                    tessera::Padding::reflect);
  const Tensor x = test::random({2, 3, 9, 8}, 1);
  const TensorList y = blur->forward(test::random({2, 3, 9, 8}, 2));
  const DataFidelity squared(blur, y, std::make_shared<SquaredDistance>(0.5));
  const tessera::L2 plain(blur, y, x, {.sigma = 0.5});
  CHECK(squared.name() == "squared_distance");
  CHECK(squared.value(x) == Approx(plain.value(x)).epsilon(1e-14));
  CHECK(test::relative_error(squared.gradient(x), plain.gradient(x)) < 1e-14);
  CHECK(squared.curvature() == 4.0);
  CHECK(plain.curvature() == 4.0);
  CHECK(squared.measurements().front().is_same(y.front()));
  CHECK_THROWS_WITH(squared.prox(x, 1.0), test::contains("no proximal operator"));

  const DataFidelity robust(blur, y, std::make_shared<Magnitude>());
  CHECK_FALSE(robust.curvature().has_value());
  const Tensor residual = blur->apply(x) - y.front();
  CHECK(robust.value(x) == Approx(residual.abs().sum().item<double>()));
  CHECK(test::relative_error(robust.gradient(x), blur->apply_adjoint(residual.sign())) < 1e-14);
  CHECK_THROWS_WITH(robust.distance().prox(x, x, 1.0), test::contains("magnitude.prox"));

  // Measurements that were dropped are no empty list.
  const auto circular = std::make_shared<tessera::Blur>(tessera::gaussian_kernel(1, 1));
  const tessera::L2 frugal(circular, circular->forward(x), x, {.drop_measurements = true});
  CHECK_THROWS_WITH(frugal.measurements(), test::contains("l2.measurements: they were dropped"));
}

TEST_CASE("Distances say what does not fit", "[fidelity]") {
  using tessera::error::InvalidArgument;
  using tessera::error::ShapeMismatch;
  const Tensor u = test::random({3, 5}, 1);
  const SquaredDistance distance;
  CHECK_THROWS_WITH(distance.value(u, u.narrow(0, 0, 2)),
                    test::contains("squared_distance.value: u is [3, 5]"));
  CHECK_THROWS_AS(distance.gradient(u, u.to(at::kFloat)), ShapeMismatch);
  CHECK_THROWS_AS(distance.prox(u, u, 0), InvalidArgument);
  CHECK_THROWS_AS(distance.conjugate_prox(u, u, -1), InvalidArgument);
  CHECK_THROWS_AS(SquaredDistance(0), InvalidArgument);
  CHECK_THROWS_AS(ClippedSquaredDistance({.low = 1, .high = 1}), InvalidArgument);
  CHECK_THROWS_AS(ClippedSquaredDistance({.sigma = -1}), InvalidArgument);
  const auto blur = std::make_shared<tessera::Blur>(tessera::gaussian_kernel(1, 1));
  CHECK_THROWS_AS(DataFidelity(blur, {u}, DistancePtr()), InvalidArgument);
}
