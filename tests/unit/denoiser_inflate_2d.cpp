// SPDX-License-Identifier: BSD-3-Clause
#include <ATen/ops/stack.h>

#include "catch.hpp"
#include "networks.hpp"
#include "tensors.hpp"
#include "tessera/core/error.hpp"
#include "tessera/denoiser/dncnn.hpp"
#include "tessera/denoiser/drunet.hpp"
#include "tessera/denoiser/inflate_2d.hpp"

using namespace tessera;

namespace {

/// A volume of equal slices against the slice.
void check_slices(const Denoiser& of_volumes, const Denoiser& of_images, const Tensor& image,
                  std::int64_t depth) {
  const std::vector<Tensor> copies(static_cast<std::size_t>(depth), image);
  const Tensor volume = of_volumes.denoise(at::stack(copies, 2), 0.1);
  const Tensor expected = of_images.denoise(image, 0.1);
  CHECK(test::relative_error(expected, image) > 1e-2);
  for (const Tensor& slice : volume.unbind(2)) {
    CHECK(test::relative_error(slice, expected) < 1e-12);
  }
}

}  // namespace

TEST_CASE("Inflated weights denoise each slice of a constant volume as the image") {
  SECTION("of a DRUNet, at depths on its grid and off it") {
    const StateDict weights = test::sine_weights(test::drunet_keys(2, {2, 3, 4}, 1));
    const DRUNet volumes(inflate_2d(weights));
    CHECK(volumes.architecture().dimensions == 3);
    check_slices(volumes, DRUNet(weights), test::sine_image(2, 64, 72), 8);
    check_slices(volumes, DRUNet(weights), test::sine_image(2, 64, 72), 5);
  }
  SECTION("of a DnCNN with biases") {
    const StateDict weights = test::sine_weights(test::dncnn_keys(2, 5, 4, true));
    check_slices(DnCNN(inflate_2d(weights)), DnCNN(weights), test::sine_image(2, 9, 7), 4);
  }
}

TEST_CASE("What is no network of images cannot be inflated") {
  const StateDict weights = test::sine_weights(test::drunet_keys(1, {2, 3}, 1));
  CHECK_THROWS_WITH(inflate_2d(inflate_2d(weights)), test::contains("inflate_2d: 'm_body"));
  CHECK_THROWS_WITH(inflate_2d({{"k", test::indexed({1, 1, 4, 4})}}),
                    test::contains("'k' is [1, 1, 4, 4]"));
  CHECK_THROWS_AS(inflate_2d({{"k", test::indexed({1, 1, 3, 5})}}), error::ShapeMismatch);
  CHECK_THROWS_AS(inflate_2d({{"k", Tensor()}}), error::ShapeMismatch);
}
