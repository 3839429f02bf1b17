// SPDX-License-Identifier: BSD-3-Clause
// train_ridge trains the prior that the library then has.
#include <ATen/ops/cat.h>
#include <ATen/ops/linspace.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/autograd/autograd.h>

#include <vector>

#include "../../tools/train_ridge/ridge_model.hpp"
#include "../../tools/train_ridge/spline.hpp"
#include "catch.hpp"
#include "tensors.hpp"
#include "tessera/prior/detail/odd_spline.hpp"
#include "tessera/prior/ridge_denoiser.hpp"

using namespace tessera;

namespace {

constexpr float spacing = 0.1F;

/// phi as train_ridge has it, with the values of its knots after 0.
Tensor trained(const Tensor& u, const Tensor& knots) {
  const Tensor values = tessera::detail::returning_to_zero(at::cat({at::zeros({1}), knots}));
  return odd_spline(u, values, spacing);
}

Tensor of_prior(const Tensor& u, const Tensor& knots) {
  const auto* first = knots.const_data_ptr<double>();
  return tessera::detail::OddSpline({first, first + knots.numel()}, spacing)
      .value(u.to(at::kDouble));
}

}  // namespace

TEST_CASE("train_ridge and RidgePrior have one phi, inside and outside of the knots") {
  const Tensor u = at::linspace(-0.97, 0.97, 96);  // no knots among them
  // Positive, negative and zero at the last knot.
  for (const std::vector<double>& given : {std::vector{0.3, 0.5, 0.2}, std::vector{0.3, 0.1, -0.25},
                                           std::vector{0.2, -0.1, -0.7}, std::vector{0.3, 0.0}}) {
    const Tensor exact = at::tensor(given, at::kDouble);
    const Tensor knots = exact.to(at::kFloat).set_requires_grad(true);
    const Tensor places = u.clone().set_requires_grad(true);
    const Tensor values = trained(places, knots);
    CHECK(test::relative_error(values.detach(), of_prior(u, exact)) < 1e-5);

    // Along a direction of the knots, and along u, by differences of the prior's.
    const Tensor weights = test::indexed({96});
    const auto gradients =
        torch::autograd::grad({(values * weights.to(at::kFloat)).sum()}, {knots, places});
    constexpr double step = 1e-6;
    const Tensor direction = at::tensor({0.7, -0.4, 0.9}, at::kDouble).narrow(0, 0, exact.numel());
    if (given.back() != 0) {  // where it has a kink
      const Tensor change =
          of_prior(u, exact + step * direction) - of_prior(u, exact - step * direction);
      CHECK((gradients[0].to(at::kDouble) * direction).sum().item<double>() ==
            Approx((weights * change).sum().item<double>() / (2 * step)).epsilon(1e-4));
    }
    const Tensor along_u =
        of_prior(u.to(at::kDouble) + step, exact) - of_prior(u.to(at::kDouble) - step, exact);
    CHECK(test::relative_error(gradients[1], weights * along_u / (2 * step)) < 1e-4);
  }
}

TEST_CASE("What train_ridge's denoiser goes to is what RidgeDenoiser gives") {
  StateDict weights = RidgeModel(2, 4, 3).weights();
  const Tensor knots = weights.at("spline.values");
  weights["spline.values"] =
      (knots - at::linspace(0, 1, knots.numel())).contiguous();  // falls below 0
  const RidgeModel model(weights);
  REQUIRE(model.weights().at("spline.values")[-1].item<double>() < 0);

  const Tensor noisy = 0.2 * test::indexed({2, 1, 12, 11}).to(at::kFloat);  // beyond the knots too
  const Tensor levels = at::tensor({0.05, 0.2}, at::kFloat);
  const Tensor trained = model.denoise(noisy, levels, 300, 1).detach();
  const RidgeDenoiser denoiser(model.weights(), {.tolerance = 1e-6});
  const Tensor expected = at::cat({denoiser.denoise(noisy.narrow(0, 0, 1), 0.05),
                                   denoiser.denoise(noisy.narrow(0, 1, 1), 0.2)});
  CHECK(test::relative_error(expected, noisy) > 0.01);
  CHECK(test::relative_error(trained, expected) < 1e-3);
}
