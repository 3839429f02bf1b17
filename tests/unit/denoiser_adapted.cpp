// SPDX-License-Identifier: BSD-3-Clause
// Denoisers for other ranges and channels, and the level that an image's noise has.
#include "tessera/denoiser/adapted.hpp"

#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/sin.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <cmath>
#include <limits>

#include "catch.hpp"
#include "distributed_parts.hpp"
#include "tessera/comm/self.hpp"
#include "tessera/core/error.hpp"
#include "tessera/denoiser/estimate_noise.hpp"
#include "tessera/denoiser/total_variation.hpp"
#include "tessera/distributed/tiled_denoiser.hpp"
#include "tessera/physics/noise.hpp"
#include "tessera/physics/poisson_noise.hpp"

using namespace tessera;

namespace {

double difference(const Tensor& a, const Tensor& b) {
  return (a - b).abs().max().item<double>();
}

/// Accepts one channel alone, and extends images to multiples of 4.
class Grey : public test::LocalDenoiser {
 public:
  std::vector<std::int64_t> extended_extents(at::IntArrayRef spatial) const override {
    std::vector<std::int64_t> extents = spatial.vec();
    for (std::int64_t& extent : extents) extent = (extent + 3) / 4 * 4;
    return extents;
  }

 private:
  void do_check(const Tensor& x, const std::string& who) const override {
    if (x.size(1) != 1) throw error::ShapeMismatch(who + ": one channel");
  }
};

}  // namespace

TEST_CASE("scaled: another range is the range 0 to 1, moved", "[denoiser]") {
  const auto inner = std::make_shared<test::LocalDenoiser>();
  const DenoiserPtr wide = scaled(inner, -1000, 3000);
  const Tensor x = test::sine_image(2, 14, 11);
  const Tensor level = at::tensor({0.2}, at::kDouble);
  CHECK(difference(wide->denoise(4000 * x - 1000, 800.0), 4000 * inner->denoise(x, 0.2) - 1000) <
        1e-9);
  CHECK(difference(wide->denoise(4000 * x - 1000, 4000 * level),
                   4000 * inner->denoise(x, level) - 1000) < 1e-9);
  CHECK(wide->reach() == inner->reach());
  CHECK(wide->name() == "scaled(local, -1000 to 3000)");
  const double inf = std::numeric_limits<double>::infinity();
  CHECK_THROWS_AS(scaled(inner, 1, 1), error::InvalidArgument);
  CHECK_THROWS_AS(scaled(inner, 0, inf), error::InvalidArgument);
  CHECK_THROWS_AS(scaled(nullptr, 0, 1), error::InvalidArgument);
}

TEST_CASE("channelwise: every channel is an image", "[denoiser]") {
  const auto inner = std::make_shared<Grey>();
  const DenoiserPtr each = channelwise(inner);
  const Tensor x = test::sine_image(5, 14, 11).view({1, 5, 14, 11}).repeat({2, 1, 1, 1});
  Tensor batch = x.clone();
  batch[1] *= 0.7;
  const Tensor levels = at::tensor({0.1, 0.4}, at::kDouble);
  const Tensor map = at::full({2, 1, 14, 11}, 0.1, at::kDouble);
  map[1].fill_(0.4);
  const Tensor result = each->denoise(batch, levels);
  CHECK(difference(result, each->denoise(batch, map)) < 1e-14);
  for (std::int64_t image = 0; image < 2; ++image) {
    for (std::int64_t channel = 0; channel < 5; ++channel) {
      const Tensor alone =
          inner->denoise(batch[image][channel].view({1, 1, 14, 11}), image == 0 ? 0.1 : 0.4);
      CHECK(difference(result[image][channel], alone[0][0]) < 1e-14);
    }
  }
  CHECK_THROWS_AS(inner->denoise(batch, 0.1), error::ShapeMismatch);
  // Tiles of what is adapted twice give the whole image's result.
  TilingOptions tiles;
  tiles.minimum_tiles = 4;
  const DenoiserPtr both = scaled(each, 0, 2);
  const TiledDenoiser tiled(both, self_communicator(), tiles);
  const Tensor large = 2 * test::sine_image(3, 41, 38);
  CHECK(difference(tiled.denoise(large, 0.3), both->denoise(large, 0.3)) < 1e-12);
  CHECK_THROWS_AS(channelwise(nullptr), error::InvalidArgument);
}

TEST_CASE("in_float32 computes in float32 and gives the image's dtype back", "[denoiser]") {
  const DenoiserPtr inner = std::make_shared<TotalVariation>();
  const Tensor image = test::sine_image(1, 12, 11).to(at::kDouble) + 1e-12;
  const Tensor result = in_float32(inner)->denoise(image, 0.1);
  CHECK(result.scalar_type() == at::kDouble);
  CHECK(result.equal(inner->denoise(image.to(at::kFloat), 0.1).to(at::kDouble)));
  CHECK_FALSE(result.equal(inner->denoise(image, 0.1)));
  CHECK_THROWS_AS(in_float32(nullptr), error::InvalidArgument);
}

TEST_CASE("estimate_noise finds the level of white noise", "[denoiser]") {
  const Tensor ramp = at::arange(200, at::kDouble);
  const Tensor smooth = 0.5 + 0.4 * at::sin(0.0008 * ramp.view({1, 1, -1, 1}) * ramp);
  const Tensor edges = (smooth > 0.5).to(at::kDouble);
  for (const double sigma : {0.005, 0.05, 0.3}) {
    CAPTURE(sigma);
    const Tensor noisy = GaussianNoise(sigma, 3).add(at::cat({smooth, edges}, 0));
    const Tensor found = estimate_noise(noisy);
    CHECK(found.sizes() == at::IntArrayRef({2}));
    for (std::int64_t i = 0; i < 2; ++i) {
      CHECK(found[i].item<double>() == Approx(sigma).epsilon(i == 0 ? 0.03 : 0.07));
    }
    CHECK(difference(estimate_noise(255 * noisy.to(at::kFloat)), 255 * found) < 1e-3 * 255 * sigma);
  }
  const Tensor volume = GaussianNoise(0.1, 3).add(at::zeros({1, 1, 20, 24, 28}, at::kDouble));
  CHECK(estimate_noise(volume).item<double>() == Approx(0.1).epsilon(0.05));
  CHECK(estimate_noise(at::full({1, 2, 5, 5}, 0.4, at::kFloat)).item<double>() == 0);
  CHECK_THROWS_AS(estimate_noise(at::zeros({1, 1, 1, 9}, at::kDouble)), error::ShapeMismatch);
}

TEST_CASE("estimate_gain and estimate_background find what counts are", "[denoiser]") {
  const Tensor ramp = at::arange(200, at::kDouble);
  const Tensor smooth = 0.5 + 0.5 * at::sin(0.0008 * ramp.view({1, 1, -1, 1}) * ramp);
  const Tensor edges = (smooth > 0.5).to(at::kDouble);
  for (const double gain : {0.1, 1.0, 40.0}) {
    for (const double counts : {2.0, 50.0, 2000.0}) {
      CAPTURE(gain, counts);
      const double background = 3 * gain;
      const Tensor noisy = PoissonNoise({.gain = gain, .background = background, .seed = 5})
                               .add(gain * counts * at::cat({smooth, edges}, 0));
      const Tensor found = estimate_gain(noisy);
      CHECK(found.sizes() == at::IntArrayRef({2}));
      CHECK(found[0].item<double>() == Approx(gain).epsilon(0.05));
      CHECK(found[1].item<double>() == Approx(gain).epsilon(0.08));
      const Tensor dark = estimate_background(noisy.narrow(0, 1, 1));
      CHECK(dark.item<double>() == Approx(background).epsilon(0.12));
    }
  }
  const Tensor volume = PoissonNoise({.gain = 2, .background = 8, .seed = 5})
                            .add(at::zeros({1, 1, 20, 24, 29}, at::kDouble));
  CHECK(estimate_gain(volume).item<double>() == Approx(2).epsilon(0.1));
  CHECK(estimate_background(volume).item<double>() == Approx(8).epsilon(0.1));
  CHECK(std::isnan(estimate_gain(at::zeros({1, 1, 4, 4}, at::kFloat)).item<double>()));
  CHECK(estimate_gain(at::ones({1, 2, 2, 5}, at::kFloat)).item<double>() == 0);
  CHECK_THROWS_AS(estimate_gain(at::zeros({1, 1, 1, 9}, at::kDouble)), error::ShapeMismatch);
  CHECK_THROWS_AS(estimate_background(at::zeros({1, 1, 1, 9}, at::kDouble)), error::ShapeMismatch);
}
