// SPDX-License-Identifier: BSD-3-Clause
#include <ATen/ops/full_like.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <memory>
#include <vector>

#include "boxes.hpp"
#include "catch.hpp"
#include "failures.hpp"
#include "tensors.hpp"
#include "tessera/core/error.hpp"
#include "tessera/metric/shared_out.hpp"
#include "tessera/physics/noise.hpp"
#include "world.hpp"

using namespace tessera;
using test::relative_error;

// The whiteness of residuals that ranks hold in boxes, on 1 to 8 ranks, beside that of whole ones.

TEST_CASE("the whiteness of boxes is that of the image", "[whiteness]") {
  for (const Tensor& image : test::images_to_share()) {
    const BoxSpacePtr space = test::boxes_for(image);
    // Noise, and something that is not.
    const Tensor residual = GaussianNoise(0.5, 7).add(image);
    const Tensor own = space->scatter(residual);
    CHECK(relative_error(autocorrelation_energy(space, own), autocorrelation_energy(residual)) <
          1e-12);
    for (const double threshold : {0.0, 1.0}) {
      const Tensor mask =
          GaussianNoise(1, 8).add(at::zeros_like(image.narrow(1, 0, 1))) > threshold;
      CHECK(relative_error(autocorrelation_energy(space, own, space->scatter(mask)),
                           autocorrelation_energy(residual, mask)) < 1e-12);
    }
    const Tensor none = space->scatter(at::zeros_like(image));
    CHECK(autocorrelation_energy(space, own, none).count_nonzero().item<std::int64_t>() == 0);
    const Tensor flat = space->scatter(at::full_like(image, 2.5));
    CHECK(autocorrelation_energy(space, flat).count_nonzero().item<std::int64_t>() == 0);
  }
}

TEST_CASE("the whiteness of boxes of which some are empty", "[whiteness]") {
  const Tensor residual = GaussianNoise(0.5, 7).add(at::zeros({1, 2, 9, 12}, at::kDouble));
  const BoxSpacePtr space = test::boxes_for(residual);
  // All is the first rank's.
  std::vector<Box> boxes(space->boxes().size(), whole_box({9, 12}));
  for (std::size_t rank = 1; rank < boxes.size(); ++rank) boxes[rank].axes[0] = {9, 9};
  const auto first = std::make_shared<BoxSpace>(*space, Extents{9, 12}, boxes);
  const Tensor own = first->scatter(residual);
  CHECK(relative_error(autocorrelation_energy(first, own), autocorrelation_energy(residual)) <
        1e-12);
  CHECK_THROWS_AS(autocorrelation_energy(space, residual.narrow(2, 0, 1)), error::Error);
  test::check_in_step();
}
