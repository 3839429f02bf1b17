// SPDX-License-Identifier: BSD-3-Clause
#include <ATen/ops/equal.h>
#include <ATen/ops/tensor.h>

#include <functional>

#include "catch.hpp"
#include "distributed_parts.hpp"
#include "networks.hpp"
#include "tessera/comm/self.hpp"
#include "tessera/denoiser/dncnn.hpp"
#include "tessera/denoiser/drunet.hpp"
#include "tessera/distributed/tiled_denoiser.hpp"
#include "threads.hpp"

/// Rules that depend on an extent are the whole image's: with enough context tiles give the untiled
/// result, whatever the image's size. Plans for several ranks are carried out on one: the bits are
/// the same.
using namespace tessera;
using test::relative_error;

namespace {

using Shape = std::vector<std::int64_t>;

/// Every extent from 8 to 80 along both axes, in pairs that meet in another order each.
std::vector<std::pair<std::int64_t, std::int64_t>> extents() {
  std::vector<std::pair<std::int64_t, std::int64_t>> pairs;
  for (std::int64_t i = 0; i < 73; ++i) pairs.emplace_back(8 + i, 8 + (31 * i + 11) % 73);
  // Multiples of 8 and 16, and what is one short of them, met by short and long ones.
  for (const auto& pair : {std::pair{96, 60},
                           {60, 96},
                           {40, 72},
                           {72, 40},
                           {24, 80},
                           {63, 80},
                           {64, 80},
                           {32, 31},
                           {16, 79},
                           {80, 9}}) {
    pairs.emplace_back(pair.first, pair.second);
  }
  return pairs;
}

/// A DRUNet of few channels, with the size rule of all: multiples of 2^(scales - 1), or twice as
/// much where a side is short.
std::shared_ptr<const DRUNet> small_drunet(std::size_t scales, NetworkOptions options = {}) {
  return std::make_shared<DRUNet>(
      test::sine_weights(test::drunet_keys(1, std::vector<std::int64_t>(scales, 2), 1)), options);
}

double error_of(const DenoiserPtr& denoiser, const Tensor& x, const TilingOptions& options,
                const NoiseLevel& sigma) {
  const TiledDenoiser tiled(denoiser, self_communicator(), options);
  const TilePlan plan = tiled.plan(x.sizes(), x.element_size());
  CHECK(tiled.is_exact(plan));
  return relative_error(tiled.denoise(x, sigma), denoiser->denoise(x, sigma));
}

}  // namespace

TEST_CASE("tiles give the untiled result for every extent, number of ranks and tiling") {
  const test::Threads one(1);  // images too small to share out
  for (const std::size_t scales : {3, 4}) {
    const auto drunet = small_drunet(scales);
    const std::int64_t reach = drunet->reach().value();
    int ranks = 2;
    for (const auto& [height, width] : extents()) {
      ranks = ranks == 5 ? 2 : ranks + 1;
      CAPTURE(scales, height, width, ranks);
      const Tensor x = test::indexed({1, 1, height, width});
      CHECK(error_of(drunet, x, {.tiling = Tiling::exact, .ranks = ranks}, 0.1) < 1e-12);
      const TilingOptions even{.context = reach, .blend = 6, .ranks = ranks};
      CHECK(error_of(drunet, x, even, 0.1) < 1e-12);
      const std::int64_t overlap = reach + drunet->alignment();
      const TilingOptions fixed{.tiling = Tiling::fixed,
                                .blend = 2,
                                .patch = {height, (width + 1) / 2},
                                .overlap = overlap};
      CHECK(error_of(drunet, x, fixed, 0.1) < 1e-12);
    }
  }
}

TEST_CASE("tiles give the untiled result with levels per image, maps and plans of one's own") {
  const test::Threads one(1);  // images too small to share out
  const auto drunet = small_drunet(3);
  const std::int64_t reach = drunet->reach().value();
  for (const auto& [height, width] :
       {std::pair{61, 33}, {33, 61}, {44, 60}, {70, 13}, {80, 40}, {57, 79}}) {
    CAPTURE(height, width);
    const Tensor x = test::indexed({2, 1, height, width});
    const TilingOptions exact{.tiling = Tiling::exact, .ranks = 3};
    CHECK(error_of(drunet, x, exact, at::tensor({0.1, 0.6}, at::kDouble)) < 1e-12);
    CHECK(error_of(drunet, x, exact, test::indexed({2, 1, height, width}).abs()) < 1e-12);
    // Off the grid the denoiser's own rule applies to a window: still with context enough inside.
    const TilePlan plan =
        TilePlan::fixed({height, width},
                        {.patch = {(height + 1) / 2, width}, .overlap = reach + 4, .alignment = 4});
    const TiledDenoiser own(drunet, self_communicator(), plan);
    CHECK(own.is_exact(plan));
    CHECK(relative_error(own.denoise(x, 0.2), drunet->denoise(x, 0.2)) < 1e-12);
  }
}

TEST_CASE("tiles give the untiled result for every extent in float32 and for other denoisers") {
  const test::Threads one(1);  // images too small to share out
  const auto drunet = small_drunet(3);
  const auto dncnn = std::make_shared<DnCNN>(test::sine_weights(test::dncnn_keys(1, 3, 4, true)));
  const auto grid = std::make_shared<test::GridDenoiser>();
  for (std::size_t i = 0; i < extents().size(); i += 3) {
    const auto [height, width] = extents()[i];
    CAPTURE(height, width);
    const Tensor x = test::indexed({1, 1, height, width});
    const TilingOptions exact{.tiling = Tiling::exact, .ranks = 4};
    CHECK(error_of(drunet, x.to(at::kFloat), exact, 0.1) < 1e-5);
    CHECK(error_of(dncnn, x, exact, 0.1) < 1e-12);
    CHECK(error_of(grid, x, exact, 0.1) < 1e-12);
  }
}

TEST_CASE("tiles give the untiled result for volumes") {
  const test::Threads one(1);  // images too small to share out
  const auto drunet =
      std::make_shared<DRUNet>(test::sine_weights(test::drunet_keys(1, {2, 2}, 1, 3)));
  for (const Shape& shape : {Shape{1, 1, 45, 10, 9}, {1, 1, 8, 51, 13}, {2, 1, 34, 9, 40}}) {
    CAPTURE(shape);
    const Tensor x = test::indexed(shape);
    CHECK(error_of(drunet, x, {.tiling = Tiling::exact, .ranks = 2}, 0.1) < 1e-12);
    CHECK(error_of(drunet, x, {.tiling = Tiling::exact, .ranks = 5}, x.narrow(1, 0, 1).abs()) <
          1e-12);
  }
}

TEST_CASE("a map and an image are extended alike") {
  const auto drunet = small_drunet(4);
  const Tensor x = test::indexed({1, 1, 41, 50});
  const Tensor map = test::indexed({1, 1, 41, 50}, 1.0).abs();
  const auto extended = [](const Tensor& image) {
    return at::pad(image, {0, 14, 0, 7}, "replicate");
  };
  const Tensor expected =
      drunet->denoise(extended(x), extended(map)).narrow(2, 0, 41).narrow(3, 0, 50);
  CHECK(drunet->extended_extents({41, 50}) == Shape{48, 64});
  CHECK(drunet->extended_extents({41, 70}) == Shape{48, 80});
  CHECK(drunet->extended_extents({64, 70}) == Shape{64, 72});
  CHECK(drunet->extended_extents({32, 40}) == Shape{32, 40});
  CHECK(drunet->extended_extents({24, 40}) == Shape{32, 48});
  CHECK(at::equal(drunet->denoise(x, map), expected));
}
