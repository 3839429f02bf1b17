// SPDX-License-Identifier: BSD-3-Clause
#include <ATen/ops/ones.h>

#include <cmath>
#include <limits>

#include "catch.hpp"
#include "tensors.hpp"
#include "tessera/core/error.hpp"
#include "tessera/denoiser/noise_level.hpp"
#include "toys.hpp"

using namespace tessera;

namespace {

const Tensor x = test::indexed({2, 3, 4, 5});
const Tensor per_image = test::indexed({2}).abs();
const Tensor map = test::indexed({2, 1, 4, 5}).abs();

}  // namespace

TEST_CASE("A noise level is a number, one per image, or a map") {
  const test::Dimmer denoiser;
  CHECK(test::relative_error(denoiser.denoise(x, 0.5), 0.5 * x) < 1e-15);
  CHECK(test::relative_error(denoiser.denoise(x, per_image),
                             (1 - per_image.view({2, 1, 1, 1})) * x) < 1e-15);
  CHECK(test::relative_error(denoiser.denoise(x, map), (1 - map) * x) < 1e-15);
  CHECK(test::relative_error(NoiseLevel(per_image).as_map(x),
                             per_image.view({2, 1, 1, 1}) * at::ones({2, 1, 4, 5})) < 1e-15);
}

TEST_CASE("A window of a map is the map of the window") {
  const NoiseLevel part = NoiseLevel(map).window({1, 2}, {2, 3});
  CHECK(test::relative_error(part.as_map(x.narrow(2, 1, 2).narrow(3, 2, 3)),
                             map.narrow(2, 1, 2).narrow(3, 2, 3)) == 0);
  CHECK(NoiseLevel(0.3).window({1, 2}, {2, 3}).number() == 0.3);
}

TEST_CASE("Levels that do not fit the image are refused, naming both") {
  const test::Dimmer denoiser;
  CHECK_THROWS_WITH(
      denoiser.denoise(x, test::indexed({3}).abs()),
      test::contains("dimmer.denoise: sigma is [3]") && test::contains("[2, 3, 4, 5]"));
  CHECK_THROWS_AS(denoiser.denoise(x, test::indexed({2, 1, 4, 4}).abs()), error::ShapeMismatch);
  CHECK_THROWS_AS(denoiser.denoise(x, test::indexed({2, 3, 4, 5}).abs()), error::ShapeMismatch);
  CHECK_THROWS_AS(NoiseLevel(-0.1), error::InvalidArgument);
  CHECK_THROWS_AS(NoiseLevel(std::nan("")), error::InvalidArgument);
  CHECK_THROWS_AS(NoiseLevel(std::numeric_limits<double>::infinity()), error::InvalidArgument);
  CHECK_THROWS_AS(NoiseLevel(Tensor()), error::ShapeMismatch);
  CHECK_THROWS_AS(NoiseLevel(per_image).number(), error::InvalidArgument);
}

TEST_CASE("Levels given as tensors are checked as numbers are") {
  const test::Dimmer denoiser;
  for (const double wrong : {-0.1, std::nan(""), std::numeric_limits<double>::infinity()}) {
    for (const at::ScalarType type : {at::kDouble, at::kFloat, at::kHalf}) {
      Tensor levels = per_image.to(type).clone();
      levels[1] = wrong;
      CHECK_THROWS_AS(denoiser.denoise(x, levels), error::InvalidArgument);
      Tensor levels_map = map.to(type).clone();
      levels_map[1][0][3][4] = wrong;
      CHECK_THROWS_WITH(denoiser.denoise(x, levels_map),
                        test::contains("dimmer.denoise: sigma has values from"));
    }
  }
  CHECK_NOTHROW(denoiser.denoise(x, per_image.clone().requires_grad_(true)));
}
