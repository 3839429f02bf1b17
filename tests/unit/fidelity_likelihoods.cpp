// SPDX-License-Identifier: BSD-3-Clause
// Distances of other noise than Gaussian: derivatives by differences, proximal operators by brute
// force.
#include <ATen/ops/complex.h>
#include <ATen/ops/full.h>
#include <ATen/ops/tensor.h>

#include <cmath>
#include <limits>

#include "adjoint.hpp"
#include "catch.hpp"
#include "distances.hpp"
#include "tessera/core/error.hpp"
#include "tessera/fidelity/absolute_distance.hpp"
#include "tessera/fidelity/amplitude_distance.hpp"
#include "tessera/fidelity/huber_distance.hpp"
#include "tessera/fidelity/poisson_distance.hpp"
#include "tessera/fidelity/student_distance.hpp"
#include "tessera/fidelity/transmission_distance.hpp"
#include "toys.hpp"

using namespace tessera;

namespace {

struct Case {
  DistancePtr distance;
  std::vector<double> u;
  std::vector<double> y;
  bool has_prox = true;
  double least = -30;  ///< of u, where d is finite
};

std::vector<Case> cases() {
  const std::vector<double> anywhere = {-4, -1.3, -0.2, 0.1, 0.7, 2, 5};
  const std::vector<double> positive = {0.05, 0.3, 1, 2.5, 6};
  const std::vector<double> counts = {0, 0.5, 1, 3, 8};
  const auto poisson = [](double gain, double background) {
    return std::make_shared<PoissonDistance>(
        PoissonDistanceOptions{.gain = gain, .background = background});
  };
  return {{poisson(1, 0), positive, counts, true, 0},
          {poisson(0.5, 0.2), positive, counts, true, -0.2},
          {std::make_shared<AbsoluteDistance>(), anywhere, {-1, 0.3, 2.2}},
          {std::make_shared<AbsoluteDistance>(0.3), anywhere, {-1, 0.3, 2.2}},
          {std::make_shared<HuberDistance>(0.5), anywhere, {-1, 0.33, 2.2}},
          {std::make_shared<StudentDistance>(3, 0.4), anywhere, {-1, 0.3, 2.2}, false},
          {std::make_shared<AmplitudeDistance>(), anywhere, counts},
          {std::make_shared<TransmissionDistance>(5), anywhere, counts}};
}

double prox_at(const Distance& distance, double u, double y, double step) {
  return distance.prox(at::full({1}, u, at::kDouble), at::full({1}, y, at::kDouble), step)
      .item<double>();
}

}  // namespace

TEST_CASE("Likelihoods: the gradient is that of the value", "[fidelity]") {
  for (const Case& each : cases()) {
    CAPTURE(each.distance->name());
    for (const double u : each.u) {
      for (const double y : each.y) {
        CAPTURE(u, y);
        const double h = 1e-5;
        const double slope =
            (test::value_at(*each.distance, u + h, y) - test::value_at(*each.distance, u - h, y)) /
            (2 * h);
        const Tensor gradient =
            each.distance->gradient(at::full({1}, u, at::kDouble), at::full({1}, y, at::kDouble));
        CHECK(gradient.item<double>() == Approx(slope).epsilon(1e-6).margin(1e-8));
      }
    }
  }
}

TEST_CASE("Likelihoods: no steeper than the curvature says", "[fidelity]") {
  for (const Case& each : cases()) {
    CAPTURE(each.distance->name());
    for (const double y : each.y) {
      const Tensor measured = at::full({1}, y, at::kDouble);
      const auto bound = each.distance->curvature(measured);
      if (!bound) continue;
      for (double u = 0; u < 4; u += 0.03) {  // where both counting distances are bounded
        const double h = 1e-4;
        const Tensor rise = each.distance->gradient(at::full({1}, u + h, at::kDouble), measured) -
                            each.distance->gradient(at::full({1}, u, at::kDouble), measured);
        CHECK(rise.item<double>() <= *bound * h * (1 + 1e-6) + 1e-12);
      }
    }
  }
  CHECK_FALSE(PoissonDistance().curvature(at::full({1}, 2.0, at::kDouble)));
  CHECK_FALSE(AbsoluteDistance().curvature(at::full({1}, 2.0, at::kDouble)));
}

TEST_CASE("Likelihoods: proximal operators minimise, and their conjugates follow", "[fidelity]") {
  for (const Case& each : cases()) {
    CAPTURE(each.distance->name());
    for (const double y : each.y) {
      for (const double step : {0.2, 1.0, 4.0}) {
        for (const double u : {-2.0, -0.3, 0.0, 0.4, 3.0}) {
          CAPTURE(u, y, step);
          if (!each.has_prox) {
            CHECK_THROWS_AS(prox_at(*each.distance, u, y, step), error::InvalidArgument);
            continue;
          }
          const double v = prox_at(*each.distance, u, y, step);
          // Near a minimum the objective is flat: the grid knows it to the root of rounding.
          const double found = test::brute_force_prox(
              *each.distance, u, y, step,
              {.reach = 30, .end = 1e-8, .shrink = 0.2, .steps = 40, .least = each.least});
          const bool is_amplitude = each.distance->name() == "amplitude_distance";
          CHECK((is_amplitude && u == 0 ? std::abs(v) - std::abs(found) : v - found) ==
                Approx(0).margin(2e-7 * (1 + std::abs(v))));
          const Tensor conjugate = each.distance->conjugate_prox(
              at::full({1}, u, at::kDouble), at::full({1}, y, at::kDouble), step);
          const double moreau = u - step * prox_at(*each.distance, u / step, y, 1 / step);
          CHECK(conjugate.item<double>() == Approx(moreau).epsilon(1e-12).margin(1e-12));
        }
      }
    }
  }
}

TEST_CASE("Likelihoods: known values", "[fidelity]") {
  const PoissonDistance poisson;
  // Roots of quadratic equations, by hand.
  CHECK(prox_at(poisson, 1, 1, 1) == Approx(1).epsilon(1e-15));
  CHECK(prox_at(poisson, 2, 3, 0.5) == Approx(2.186140661634507).epsilon(1e-15));
  CHECK(prox_at(poisson, 0.3, 4, 2) == Approx(2.1033878851244716).epsilon(1e-15));
  CHECK(test::value_at(poisson, 3, 3) == 0);
  CHECK(test::value_at(poisson, 0, 0) == 0);
  CHECK(test::value_at(poisson, 2, 0) == 2);
  CHECK(std::isinf(test::value_at(poisson, 0, 1)));
  CHECK(std::isinf(test::value_at(poisson, -0.1, 0)));
  CHECK(prox_at(poisson, -1e9, 2, 1) == Approx(2e-9).epsilon(1e-6));  // without cancellation
  CHECK(prox_at(poisson, -3, 0, 1) == 0);
  CHECK(test::value_at(TransmissionDistance(5), 0, 5) == Approx(0).margin(1e-15));
  // Far from the data both ways, where exp(a) would overflow or underflow.
  const TransmissionDistance transmission(1e5);
  for (const double u : {-800.0, -20.0, 0.0, 30.0, 900.0}) {
    const double v = prox_at(transmission, u, 3e4, 0.01);
    CAPTURE(u, v);
    CHECK(v - u + 0.01 * (3e4 - 1e5 * std::exp(-v)) == Approx(0).margin(1e-9 * (1 + std::abs(u))));
  }
  CHECK(test::value_at(HuberDistance(0.5), 0.25, 0) == Approx(0.0625));
  CHECK(test::value_at(StudentDistance(1, 1), 1, 0) == Approx(std::log(2.0)));
}

TEST_CASE("Likelihoods of complex measurements count by magnitude", "[fidelity]") {
  const Tensor u = at::complex(at::full({1}, 3.0, at::kDouble), at::full({1}, 4.0, at::kDouble));
  const Tensor zero = at::zeros_like(u);
  CHECK(AbsoluteDistance().value(u, zero) == Approx(5));
  CHECK(HuberDistance(1).value(u, zero) == Approx(4.5));
  CHECK(StudentDistance(1, 1).value(u, zero) == Approx(std::log(26.0)));
  const Tensor shorter = AbsoluteDistance().prox(u, zero, 1);
  CHECK((shorter - 0.8 * u).abs().item<double>() < 1e-14);
  CHECK((HuberDistance(1).prox(u, zero, 1) - 0.8 * u).abs().item<double>() < 1e-14);
  // |u| = 5, sqrt(y) = 2
  const Tensor y = at::complex(at::full({1}, 4.0, at::kDouble), at::zeros({1}, at::kDouble));
  CHECK(AmplitudeDistance().value(u, y) == Approx(4.5));
  CHECK((AmplitudeDistance().gradient(u, y) - 0.6 * u).abs().item<double>() < 1e-14);
  CHECK((AmplitudeDistance().prox(u, y, 0.5) - 0.8 * u).abs().item<double>() < 1e-14);
  CHECK_THROWS_WITH(PoissonDistance().check_data(y), test::contains("is complex"));
  CHECK_THROWS_WITH(TransmissionDistance(1).check_data(y), test::contains("is complex"));
  AmplitudeDistance().check_data(y);
  CHECK_THROWS_WITH(AmplitudeDistance().check_data(-y), test::contains("negative values"));
  CHECK_THROWS_WITH(AmplitudeDistance().check_data(u), test::contains("imaginary parts"));
}

TEST_CASE("Likelihoods refuse parameters and data that cannot be", "[fidelity]") {
  for (const double bad : {0.0, -1.0, std::numeric_limits<double>::infinity(), std::nan("")}) {
    CHECK_THROWS_AS(PoissonDistance({.gain = bad}), error::InvalidArgument);
    CHECK_THROWS_AS(AbsoluteDistance(bad), error::InvalidArgument);
    CHECK_THROWS_AS(HuberDistance(bad), error::InvalidArgument);
    CHECK_THROWS_AS(StudentDistance(bad, 1), error::InvalidArgument);
    CHECK_THROWS_AS(StudentDistance(1, bad), error::InvalidArgument);
    CHECK_THROWS_AS(TransmissionDistance(bad), error::InvalidArgument);
  }
  CHECK_THROWS_AS(PoissonDistance({.background = -1}), error::InvalidArgument);
  const Tensor negative = at::tensor({1.0, -0.5}, at::kDouble).view({1, 1, 2});
  const auto identity = std::make_shared<test::Identity>();
  for (const DistancePtr& distance : std::vector<DistancePtr>{
           std::make_shared<PoissonDistance>(), std::make_shared<TransmissionDistance>(2),
           std::make_shared<AmplitudeDistance>()}) {
    CAPTURE(distance->name());
    CHECK_THROWS_WITH(DataFidelity(identity, {negative}, distance),
                      test::contains("negative values"));
    CHECK_NOTHROW(DataFidelity(identity, {negative.abs()}, distance));
  }
}
