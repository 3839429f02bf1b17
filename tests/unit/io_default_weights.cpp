// SPDX-License-Identifier: BSD-3-Clause
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/randn_like.h>

#include <filesystem>
#include <optional>

#include "catch.hpp"
#include "tensors.hpp"
#include "tessera/denoiser/drunet.hpp"
#include "tessera/denoiser/total_variation.hpp"
#include "tessera/io/default_weights.hpp"
#include "tessera/io/image.hpp"
#include "tessera/io/state_dict.hpp"
#include "tessera/metric/psnr.hpp"
#include "tessera/prior/ridge_denoiser.hpp"
#include "tessera/prior/ridge_prior.hpp"

using namespace tessera;

namespace {

/// The scene of the README's picture, which no network was trained on: its upper left panel.
Tensor astronaut() {
  const Tensor picture =
      read_image(std::string(TESSERA_TEST_DATA) + "/../../docs/images/astronaut_preview.jpg");
  return picture.slice(2, 28, 220).slice(3, 80, 272).contiguous();
}

Tensor with_noise(const Tensor& image, double sigma) {
  at::Generator generator = at::detail::createCPUGenerator(7);
  return image + sigma * at::randn_like(image, std::optional<at::Generator>(generator));
}

double gain(const Denoiser& denoiser, const Tensor& image, double sigma) {
  const Tensor noisy = with_noise(image, sigma);
  const Tensor denoised = denoiser.denoise(noisy, sigma);
  return (psnr(denoised, image) - psnr(noisy, image)).item<double>();
}

}  // namespace

TEST_CASE("default_weights is a file that holds a colour DRUNet", "[io][weights]") {
  const std::string path = default_weights();
  INFO(path);
  REQUIRE(std::filesystem::is_regular_file(path));
  CHECK(std::filesystem::file_size(path) < (4 << 20));
  const StateDict weights = read_state_dict(path);
  REQUIRE(weights.contains("m_head.weight"));
  REQUIRE(weights.contains("m_tail.weight"));
  CHECK(weights.at("m_head.weight").size(1) == 4);
  CHECK(weights.at("m_tail.weight").size(0) == 3);
  for (const auto& [name, tensor] : weights) {
    INFO(name);
    CHECK(tensor.to(at::kFloat).isfinite().all().item<bool>());
    CHECK(tensor.abs().max().item<double>() > 0);
  }
}

TEST_CASE("The default weights denoise a photograph better than total variation", "[io][weights]") {
  const DRUNet drunet(read_state_dict(default_weights()));
  const TotalVariation total_variation;
  const Tensor image = astronaut();
  for (const double level : {5.0, 15.0, 25.0, 50.0}) {
    const double learned = gain(drunet, image, level / 255);
    const double analytic = gain(total_variation, image, level / 255);
    INFO("level " << level << ": " << learned << " and " << analytic << " dB");
    CHECK(learned > analytic + 0.5);
  }
}

TEST_CASE("The grey weights denoise a grey photograph better than total variation",
          "[io][weights]") {
  const std::string path = default_weights(DefaultWeights::drunet_grey);
  CHECK(std::filesystem::file_size(path) < (4 << 20));
  const DRUNet drunet(read_state_dict(path));
  REQUIRE(drunet.architecture().channels == 1);
  const Tensor grey = astronaut().mean(1, /*keepdim=*/true);
  for (const double level : {5.0, 15.0, 25.0, 50.0}) {
    const double learned = gain(drunet, grey, level / 255);
    const double analytic = gain(TotalVariation(), grey, level / 255);
    INFO("level " << level << ": " << learned << " and " << analytic << " dB");
    CHECK(learned > analytic + 0.5);
  }
}

TEST_CASE("With the default weights, a photograph is denoised to single precision",
          "[io][weights]") {
  const StateDict weights = read_state_dict(default_weights());
  NetworkOptions reference;
  reference.engine = Engine::reference;
  const Tensor noisy = with_noise(astronaut(), 0.05);
  const Tensor exact = DRUNet(weights, reference).denoise(noisy.to(at::kDouble), 0.05);
  const double error = test::relative_error(DRUNet(weights).denoise(noisy, 0.05), exact);
  INFO("relative error " << error);
  CHECK(error < 5e-7);
}

TEST_CASE("The ridge weights denoise a grey photograph better than total variation",
          "[io][weights]") {
  const RidgeDenoiser ridge(read_state_dict(default_weights(DefaultWeights::ridge_grey)));
  const Tensor grey = astronaut().mean(1, /*keepdim=*/true);
  const double sigma = GENERATE(0.05, 0.1);
  CHECK(gain(ridge, grey, sigma) > gain(TotalVariation(), grey, sigma));
}

TEST_CASE("The objective of the ridge weights of volumes falls", "[io][weights]") {
  const StateDict weights = read_state_dict(default_weights(DefaultWeights::ridge_volume));
  constexpr double sigma = 0.1;
  const RidgePrior prior(weights, sigma);
  REQUIRE(prior.dimensions() == 3);
  CHECK(prior.weak_convexity() < 1);

  const Tensor places = at::arange(20, at::kFloat) - 9.5;
  const Tensor squares =
      places.view({-1, 1, 1}).square() + places.view({-1, 1}).square() + places.square();
  const Tensor ball = (0.2 + 0.6 * (2 * (6 - squares.sqrt())).sigmoid()).view({1, 1, 20, 20, 20});
  const Tensor noisy = with_noise(ball, sigma);
  const double step = 1 / (1 + prior.gradient_lipschitz().value());
  const auto objective = [&](const Tensor& x) {
    return 0.5 * (x - noisy).square().sum().item<double>() + prior.value(x).value();
  };
  Tensor x = noisy;
  for (int i = 0; i < 10; ++i) {
    const Tensor next = x - step * (x - noisy + prior.gradient(x));
    CHECK(objective(next) < objective(x));
    x = next;
  }
  CHECK(gain(RidgeDenoiser(weights), ball, sigma) > 9);  // total variation: 12.6, see weights.md
}
