// SPDX-License-Identifier: BSD-3-Clause
#include <ATen/ops/ones.h>
#include <ATen/ops/roll.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <c10/core/InferenceMode.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "catch.hpp"
#include "ridge_weights.hpp"
#include "tensors.hpp"
#include "tessera/core/error.hpp"
#include "tessera/fidelity/l2.hpp"
#include "tessera/physics/blur.hpp"
#include "tessera/physics/gaussian_kernel.hpp"
#include "tessera/physics/stacked.hpp"
#include "tessera/prior/ridge_prior.hpp"
#include "tessera/solver/gradient_descent.hpp"
#include "tessera/solver/proximal_gradient.hpp"

using namespace tessera;
using test::convex_knots;
using test::ridge_weights;
using test::weakly_convex_knots;

namespace {

/// psi by a thousand trapezia under phi as the paper defines it.
double potential(double t, const std::vector<double>& knots, double spacing) {
  const auto phi = [&](double u) {
    const double position = u / spacing;
    const auto knot = static_cast<std::size_t>(position);
    if (knot >= knots.size()) return knots.back();
    const double left = knot == 0 ? 0 : knots[knot - 1];
    return left + (position - static_cast<double>(knot)) * (knots[knot] - left);
  };
  constexpr int parts = 3000;
  const double width = std::abs(t) / parts;
  double area = 0;
  for (int i = 0; i < parts; ++i) area += 0.5 * width * (phi(width * i) + phi(width * (i + 1)));
  return area;
}

double inner(const Tensor& a, const Tensor& b) {
  return (a * b).sum().item<double>();
}

}  // namespace

TEST_CASE("The value of a ridge prior is the sum of its potentials over filtered images") {
  const StateDict weights = ridge_weights({3, 2}, 2, weakly_convex_knots);
  const RidgePrior prior(weights, 0.05);
  const Tensor x = test::indexed({2, 3, 5, 4});
  double expected = 0;
  const double alpha[] = {std::exp(0.4) / 0.05, std::exp(0.6) / 0.05};  // at the level in the table
  const Tensor filters = weights.at("filters");
  for (std::int64_t c = 0; c < 2; ++c) {
    for (const Tensor& image : x.flatten(0, 1).unbind(0)) {
      for (std::int64_t i = 0; i < 3; ++i) {
        for (std::int64_t j = 0; j < 3; ++j) {
          const double t = inner(filters[c][0], image.narrow(0, i, 3).narrow(1, j, 2));
          expected += potential(alpha[c] * t, weakly_convex_knots, 0.3) / (alpha[c] * alpha[c]);
        }
      }
    }
  }
  CHECK(prior.value(x).value() == Approx(expected).epsilon(1e-6));
  CHECK(prior.reach() == 2);
  CHECK(prior.filter_count() == 2);
}

TEST_CASE("The scale of a ridge prior follows the level, linearly in logarithms") {
  // One filter, one place, a response of 0.01: psi'(0.01) = phi(0.01 alpha) / alpha.
  StateDict weights = ridge_weights({2}, 1, {1e3});
  weights["filters"] = at::tensor({-1., 1.}, at::kDouble).view({1, 1, 2});
  weights["spline.spacing"] = at::tensor({1e3}, at::kDouble);  // phi(u) = u, whatever the scale
  const Tensor x = at::tensor({0., 0.01}, at::kDouble).view({1, 1, 2});
  CHECK(RidgePrior(weights, 0.1).gradient(x)[0][0][1].item<double>() == Approx(0.01));

  weights["spline.values"] = at::tensor({1e-9, 1.}, at::kDouble);
  weights["spline.spacing"] = at::tensor({1e-9}, at::kDouble);  // phi(u) = 1 for u > 0
  weights["levels"] = at::tensor({0.02, 0.08}, at::kDouble);
  weights["log_scale"] = at::tensor({1., 2.}, at::kDouble).view({1, 2});
  const auto scale = [&](double sigma) {  // alpha sigma
    return sigma / RidgePrior(weights, sigma).gradient(x)[0][0][1].item<double>();
  };
  CHECK(scale(0.04) == Approx(std::exp(1.5)));
  CHECK(scale(0.03) == Approx(std::exp(1 + std::log(1.5) / std::log(4.))));
  CHECK(scale(0.01) == Approx(std::exp(1.)));
  CHECK(scale(0.5) == Approx(std::exp(2.)));
  CHECK(RidgePrior(weights, 0.5).at_level(0.04).gradient(x)[0][0][1].item<double>() ==
        Approx(0.04 / std::exp(1.5)));
}

TEST_CASE("The gradient of a ridge prior is that of its value, in one to three dimensions") {
  const auto check = [](const Extents& filter, const Extents& shape) {
    const RidgePrior prior(ridge_weights(filter, 3, weakly_convex_knots), 0.3);
    const Tensor x = test::indexed(shape);
    const Tensor direction = test::indexed(shape, 0.4);
    constexpr double h = 1e-6;
    const double slope =
        (prior.value(x + h * direction).value() - prior.value(x - h * direction).value()) / (2 * h);
    CHECK(slope == Approx(inner(prior.gradient(x), direction)).epsilon(1e-6));
    CHECK(test::relative_error(prior.gradient(x.to(at::kFloat)), prior.gradient(x)) < 1e-5);
  };
  check({4}, {2, 2, 11});
  check({3, 5}, {2, 3, 7, 9});
  check({3, 2, 3}, {1, 2, 5, 6, 4});
}

TEST_CASE("A gradient of a ridge prior changes no faster than its Lipschitz constant says") {
  const RidgePrior prior(ridge_weights({3, 3}, 4, weakly_convex_knots), 0.3);
  const double bound = prior.gradient_lipschitz().value();
  // A multiple of the image that the filters see most of meets the steepest part of phi.
  Tensor steepest = test::indexed({1, 1, 24, 24});
  const Tensor zero = at::zeros_like(steepest);
  double quotient = 0;
  for (int power = 0; power < 200; ++power) {
    steepest = 1e-4 * steepest / steepest.norm();
    const Tensor image = prior.gradient(steepest) - prior.gradient(zero);
    quotient = image.norm().item<double>() / steepest.norm().item<double>();
    CHECK(quotient <= bound);
    steepest = image;
  }
  CHECK(quotient > 0.9 * bound);
}

TEST_CASE("What a ridge prior is not convex by is at most its weak convexity") {
  const RidgePrior prior(ridge_weights({3, 3}, 3, weakly_convex_knots), 0.3);
  const double rho = prior.weak_convexity();
  CHECK_FALSE(prior.is_convex());
  bool fell = false;
  for (int i = 0; i < 40; ++i) {
    const Tensor x = 0.2 * i * test::indexed({1, 1, 6, 7}, i);
    const Tensor d = 0.1 * test::indexed({1, 1, 6, 7}, 0.3 * i);
    const double curvature = inner(prior.gradient(x + d) - prior.gradient(x), d) / inner(d, d);
    CHECK(curvature >= -rho);
    fell = fell || curvature < 0;
  }
  CHECK(fell);
}

TEST_CASE("A ridge prior whose phi never falls is convex along segments") {
  const RidgePrior prior(ridge_weights({3, 3}, 3, convex_knots), 0.3);
  CHECK(prior.is_convex());
  for (int i = 0; i < 10; ++i) {
    const Tensor a = test::indexed({1, 2, 6, 7}, i);
    const Tensor b = 2 * test::indexed({1, 2, 6, 7}, 0.7 + 2 * i);
    const double middle = prior.value(0.3 * a + 0.7 * b).value();
    CHECK(middle <= 0.3 * prior.value(a).value() + 0.7 * prior.value(b).value());
  }
}

TEST_CASE("The gradient of a ridge prior moves with the image") {
  const RidgePrior prior(ridge_weights({3, 3}, 3, weakly_convex_knots), 0.3);
  const Tensor x = test::indexed({1, 1, 12, 13});
  const Tensor moved = at::roll(x, {1, 2}, {2, 3});
  const auto inside = [](const Tensor& image, std::int64_t i, std::int64_t j) {
    return image.narrow(2, i, 7).narrow(3, j, 7);
  };
  CHECK(test::relative_error(inside(prior.gradient(moved), 3, 4), inside(prior.gradient(x), 2, 2)) <
        1e-14);
  SECTION("and depends on nothing beyond its reach") {
    Tensor other = x.clone();
    other.select(2, 11).add_(1);
    const Tensor difference = (prior.gradient(other) - prior.gradient(x)).abs().amax({0, 1, 3});
    CHECK(difference.narrow(0, 0, 9).max().item<double>() == 0);
    CHECK(difference[9].item<double>() > 0);
  }
}

TEST_CASE("A ridge prior that was used in inference mode can be differentiated through") {
  const StateDict weights = ridge_weights({3, 3}, 2, convex_knots);
  const std::shared_ptr<const RidgePrior> prior = [&] {
    const c10::InferenceMode no_graph;
    return std::make_shared<const RidgePrior>(weights, 0.05);
  }();
  for (const at::ScalarType type : {at::kDouble, at::kFloat, at::kDouble}) {
    Tensor x = test::indexed({1, 1, 6, 7}, 0, type);
    const Tensor expected = prior->gradient(x);
    {
      const c10::InferenceMode no_graph;
      CHECK(test::relative_error(prior->gradient(x.clone()), expected) == 0);
    }
    x.requires_grad_();
    const Tensor gradient = prior->gradient(x);
    CHECK(gradient.scalar_type() == type);
    CHECK(test::relative_error(gradient.detach(), RidgePrior(weights, 0.05).gradient(x.detach())) ==
          0);
    const Tensor second = torch::autograd::grad({gradient.sum()}, {x}).front();
    CHECK(second.norm().item<double>() > 0);
  }
}

TEST_CASE("Gradient descent with a ridge prior needs no step and descends in every iteration") {
  const Tensor truth = test::sine_image(1, 20, 22);
  const auto blur = std::make_shared<StackedPhysics>(std::vector<LinearPhysicsPtr>{
      std::make_shared<Blur>(at::ones({1, 1, 3, 3}, at::kDouble) / 9)});
  const Tensor y = blur->forward(truth).front() + 0.1 * test::indexed({1, 1, 20, 22});
  const L2 fidelity(blur, {y}, truth);
  const RidgePrior prior(ridge_weights({3, 3}, 3, weakly_convex_knots), 0.3);
  GradientDescentOptions options{.prior_weight = 2};
  options.stopping.max_iterations = 1;
  const GradientDescent solver(fidelity, prior, options);
  const auto objective = [&](const Tensor& x) {
    return fidelity.value(x) + 2 * prior.value(x).value();
  };
  Tensor x = at::zeros_like(truth);
  double before = objective(x);
  for (int iteration = 0; iteration < 40; ++iteration) {
    x = solver.solve(x).x;
    const double now = objective(x);
    CHECK(now < before);
    before = now;
  }
}

TEST_CASE("The proximal operator of a ridge prior is where the objective's gradient vanishes") {
  const RidgePrior prior(ridge_weights({3, 3}, 3, weakly_convex_knots), 0.3, {.tolerance = 1e-12});
  const Tensor z = test::indexed({2, 2, 8, 9});
  const double step = 0.9 / prior.weak_convexity();
  const Tensor u = prior.prox(z, step);
  CHECK(test::relative_error(u + step * prior.gradient(u), z) < 1e-11);
  CHECK(test::relative_error(u, z) > 1e-3);
  SECTION("and of an image does not depend on the others of its batch") {
    CHECK(prior.prox(z.narrow(0, 1, 1), step).equal(u.narrow(0, 1, 1)));
  }
  SECTION("steps that allow several minimisers are refused") {
    CHECK_THROWS_WITH(prior.prox(z, 1.01 / prior.weak_convexity()),
                      test::contains("may not be unique"));
  }
}

TEST_CASE("A ridge prior whose phi ends below zero has a least value") {
  // Rises to 0.6 at 0.3, falls to -0.2 at 0.9 and returns to 0 at 1.2.
  const StateDict weights = ridge_weights({2}, 1, {0.6, 0.2, -0.2});
  const RidgePrior prior(weights, 0.05);
  const double scale = std::exp(0.4) / 0.05;
  const Tensor filter = weights.at("filters").flatten();
  const auto image = [&](double response) {  // of one response, to each of which scale is applied
    return at::tensor({0.0, response / scale / filter[1].item<double>()}, at::kDouble)
        .view({1, 1, 2});
  };
  const double area = 0.3 * (0.3 + 0.4 + 0.0 - 0.1);
  CHECK(prior.value(image(1.2)).value() * scale * scale == Approx(area));
  CHECK(prior.value(image(1e6)).value() * scale * scale == Approx(area));
  CHECK(prior.gradient(image(-0.95)).abs().max().item<double>() > 0);
  CHECK(prior.gradient(image(1.3)).abs().max().item<double>() == 0);
  CHECK(prior.weak_convexity() ==
        Approx(0.4 / 0.3 * filter.abs().sum().square().item<double>()).epsilon(1e-3));
}

TEST_CASE("With a ridge prior and a valid blur hundreds of iterations stay near the minimum") {
  const Tensor truth = test::sine_image(1, 14, 15);
  const auto blur = std::make_shared<Blur>(gaussian_kernel(std::vector{0.7, 0.7}), Padding::valid);
  const Tensor y = blur->apply(truth) + 0.02 * test::indexed({1, 1, 8, 9});
  const ConjugateGradientOptions rough{
      .tolerance = 1e-3, .max_iterations = 50, .unconverged = Unconverged::accept};
  const L2 fidelity(blur, {y}, truth, {.conjugate_gradient = rough});
  const RidgePrior prior(ridge_weights({3, 3}, 3, {0.6, 0.4, 0.2, 0.0, -0.2, -0.4}), 0.05);
  constexpr double weight = 20;
  ProximalGradientOptions options{.monotone = true, .weight = weight};
  options.stopping.max_iterations = 500;
  const ProximalGradient<Prior, DataFidelity> solver(prior, fidelity, options);
  CHECK(solver.guarantee() == Guarantee::descent);
  double before = std::numeric_limits<double>::infinity();
  double rise = 0;
  ObserverFunction watch([&](const Iteration& iteration) {
    const double now = prior.value(iteration.x).value() + weight * fidelity.value(iteration.x);
    rise = std::max(rise, now - before);
    before = now;
  });
  const Tensor start = at::zeros_like(truth);
  const Tensor x = solver.solve(start, watch).x;
  CHECK(rise <= 1e-12);
  // Where the prior or the margin that is not measured let it run away, thousands.
  CHECK((x - truth).abs().max().item<double>() < 3);
  // Each inner solution alone is rough: with errors that do not fall, 8e-4.
  const Tensor slope = prior.gradient(x) + weight * fidelity.gradient(x);
  CHECK(slope.norm().item<double>() <
        1e-5 * weight * fidelity.gradient(start).norm().item<double>());
}

TEST_CASE("Damaged weights of a ridge prior are refused by name") {
  const auto with = [](const std::string& name, const Tensor& tensor) {
    StateDict weights = ridge_weights({3, 3}, 3, weakly_convex_knots);
    weights[name] = tensor;
    return weights;
  };
  const auto numbers = [](std::vector<double> values) { return at::tensor(values, at::kDouble); };
  StateDict missing = ridge_weights({3, 3}, 3, weakly_convex_knots);
  missing.erase("log_scale");
  CHECK_THROWS_WITH(RidgePrior(missing, 0.1), test::contains("have no 'log_scale'"));
  CHECK_THROWS_WITH(RidgePrior({}, 0.1), test::contains("have no 'filters'"));
  CHECK_THROWS_WITH(RidgePrior(with("bias", numbers({1})), 0.1),
                    test::contains("unexpected 'bias'"));
  CHECK_THROWS_WITH(RidgePrior(with("filters", numbers({1})), 0.1), test::contains("'filters' is"));
  CHECK_THROWS_WITH(RidgePrior(with("filters", test::indexed({3, 2, 3, 3})), 0.1),
                    test::contains("expected a floating tensor [-1, 1, -1, -1]"));
  CHECK_THROWS_WITH(RidgePrior(with("filters", test::indexed({3, 1, 3, 3})), 0.1),
                    test::contains("expected 0"));
  CHECK_THROWS_WITH(RidgePrior(with("spline.spacing", numbers({0})), 0.1),
                    test::contains("spline.spacing is 0"));
  CHECK_THROWS_WITH(RidgePrior(with("spline.values", numbers({1, NAN})), 0.1),
                    test::contains("spline.values has 1 of 2 values that are not finite"));
  CHECK_THROWS_WITH(RidgePrior(with("levels", numbers({0.1, 0.05})), 0.1),
                    test::contains("ascending"));
  CHECK_THROWS_WITH(RidgePrior(with("log_scale", at::zeros({3, 5}, at::kDouble)), 0.1),
                    test::contains("'log_scale' is [3, 5]"));
  CHECK_THROWS_WITH(RidgePrior(with("levels", Tensor()), 0.1),
                    test::contains("'levels' is an undefined tensor"));
  const RidgePrior prior(ridge_weights({3, 3}, 3, weakly_convex_knots), 0.1);
  CHECK_THROWS_WITH(prior.gradient(test::indexed({1, 1, 2, 9})), test::contains("at least [3, 3]"));
  CHECK_THROWS_AS(prior.value(test::indexed({1, 1, 9})), error::ShapeMismatch);
  CHECK_THROWS_AS(prior.at_level(0), error::InvalidArgument);
}
