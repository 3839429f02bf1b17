// SPDX-License-Identifier: BSD-3-Clause
#include <c10/core/InferenceMode.h>

#include "catch.hpp"
#include "networks.hpp"
#include "tensors.hpp"
#include "tessera/core/error.hpp"
#include "tessera/denoiser/dncnn.hpp"
#include "tessera/denoiser/drunet.hpp"
#include "tessera/prior/gradient_step.hpp"
#include "tessera/solver/proximal_gradient.hpp"
#include "toys.hpp"

using namespace tessera;

namespace {

const Tensor x = test::indexed({2, 3, 4, 5});

/// Says nothing of its derivatives.
class Opaque : public Denoiser {
 public:
  std::string name() const override { return "opaque"; }

 private:
  Tensor do_denoise(const Tensor& image, const NoiseLevel& /*sigma*/) const override {
    return 0.5 * image.detach();
  }
};

/// Central differences along a direction against the gradient's product with it.
void check_gradient(const DenoiserPtr& denoiser, const Extents& shape) {
  const GradientStep prior(denoiser, 0.1);
  const Tensor image = test::indexed(shape);
  const Tensor direction = test::indexed(shape, 0.4);
  constexpr double h = 1e-6;
  const double slope =
      (prior.value(image + h * direction).value() - prior.value(image - h * direction).value()) /
      (2 * h);
  const double product = (prior.gradient(image) * direction).sum().item<double>();
  CHECK(slope == Approx(product).epsilon(1e-6));
  // It is the Jacobian's part that is tested: without it the product is another.
  const Tensor residual = image - denoiser->denoise(image, 0.1);
  CHECK(product != Approx((residual * direction).sum().item<double>()).epsilon(1e-2));
}

}  // namespace

TEST_CASE("The gradient step of a linear denoiser is that of a quadratic") {
  const GradientStep prior(std::make_shared<test::Dimmer>(), 0.25);  // x - N(x) = 0.25 x
  CHECK(prior.value(x).value() == Approx(0.5 * 0.0625 * x.square().sum().item<double>()));
  CHECK(test::relative_error(prior.gradient(x), 0.0625 * x) < 1e-14);
  CHECK_FALSE(prior.gradient(x).requires_grad());
  CHECK_FALSE(x.requires_grad());
  CHECK(prior.name() == "gradient_step(dimmer)");
}

TEST_CASE("The gradient of a gradient-step prior is that of its value") {
  check_gradient(std::make_shared<test::Saturate>(), {2, 3, 4, 5});
  check_gradient(std::make_shared<DnCNN>(test::sine_weights(test::dncnn_keys(2, 6, 4, true))),
                 {2, 2, 7, 6});
  check_gradient(std::make_shared<DRUNet>(test::sine_weights(test::drunet_keys(1, {3, 4}, 1))),
                 {1, 1, 64, 66});
}

TEST_CASE("A gradient step works where graphs are switched off, and leaves parameters alone") {
  StateDict weights = test::sine_weights(test::dncnn_keys(2, 6, 4, true));
  const GradientStep fixed(std::make_shared<DnCNN>(weights), 0.1);
  const Tensor image = test::indexed({1, 2, 7, 6});
  const Tensor expected = fixed.gradient(image);
  {
    const at::NoGradGuard no_graph;
    CHECK(fixed.gradient(image).equal(expected));
  }
  {
    const c10::InferenceMode inference;
    CHECK(fixed.gradient(image.clone()).equal(expected));
  }
  for (auto& [name, tensor] : weights) tensor = tensor.clone().requires_grad_();
  const GradientStep trained(std::make_shared<DnCNN>(weights), 0.1);
  CHECK(test::relative_error(trained.gradient(image), expected) < 1e-14);
  CHECK_FALSE(weights.at("in_conv.weight").grad().defined());
}

TEST_CASE("Proximal gradient with a gradient-step prior descends in every iteration") {
  const GradientStep prior(
      std::make_shared<DnCNN>(test::sine_weights(test::dncnn_keys(2, 6, 4, true))), 0.1);
  const Tensor target = test::indexed({1, 2, 7, 6});
  const test::Halfway fidelity(target);
  ProximalGradientOptions options{.step = 4, .backtracking = true, .momentum = false};
  options.stopping.max_iterations = 1;
  const ProximalGradient solver(prior, fidelity, options);
  Tensor now = target;
  double before = prior.value(now).value() + fidelity.value(now);
  for (int iteration = 0; iteration < 8; ++iteration) {
    now = solver.solve(now).x;
    const double objective = prior.value(now).value() + fidelity.value(now);
    CHECK(objective < before);
    before = objective;
  }
}

TEST_CASE("A denoiser without derivatives has no gradient step") {
  CHECK_THROWS_WITH(GradientStep(std::make_shared<Opaque>(), 0.1).gradient(x),
                    test::contains("gradient_step(opaque).gradient: the denoiser records no"));
  CHECK_THROWS_WITH(GradientStep(std::make_shared<test::Saturate>(), 0.1).prox(x, 1),
                    test::contains("has no proximal operator"));
  CHECK_THROWS_AS(GradientStep(nullptr, 0.1), error::InvalidArgument);
}
