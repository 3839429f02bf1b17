// SPDX-License-Identifier: BSD-3-Clause
#include <ATen/ops/equal.h>

#include "catch.hpp"
#include "distributed_parts.hpp"
#include "tessera/comm/self.hpp"
#include "tessera/core/error.hpp"
#include "tessera/distributed/tiled_denoiser.hpp"

using namespace tessera;
using test::GridDenoiser;
using test::LocalDenoiser;
using test::relative_error;

namespace {

std::vector<std::vector<std::int64_t>> image_shapes() {
  return {{1, 1, 61}, {2, 3, 37, 29}, {2, 1, 11, 14, 17}};
}

TiledDenoiser tiled(DenoiserPtr denoiser, TilingOptions options) {
  return {std::move(denoiser), self_communicator(), std::move(options)};
}

std::string message_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const error::Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("exact tilings reproduce the untiled denoiser, borders included") {
  const DenoiserPtr denoisers[] = {std::make_shared<LocalDenoiser>(3),
                                   std::make_shared<GridDenoiser>()};
  for (const DenoiserPtr& denoiser : denoisers) {
    for (const auto& shape : image_shapes()) {
      for (const std::int64_t tiles : {2, 5}) {
        const TiledDenoiser exact =
            tiled(denoiser, {.tiling = Tiling::exact, .minimum_tiles = tiles});
        const Tensor x = test::indexed(shape);
        CAPTURE(denoiser->name(), tiles, shape.size());
        CHECK(exact.plan(x.sizes()).tiles().size() >= static_cast<std::size_t>(tiles));
        CHECK(exact.is_exact(exact.plan(x.sizes())));
        CHECK(exact.warnings(x.sizes()).empty());
        CHECK(relative_error(exact.denoise(x, 0.4), denoiser->denoise(x, 0.4)) < 1e-12);
        const Tensor single = x.to(at::kFloat);
        CHECK(relative_error(exact.denoise(single, 0.4), denoiser->denoise(single, 0.4)) < 1e-5);
      }
    }
  }
}

TEST_CASE("images shorter than a denoiser's minimum extent are not cut by exact tilings") {
  const TiledDenoiser exact =
      tiled(std::make_shared<GridDenoiser>(), {.tiling = Tiling::exact, .minimum_tiles = 3});
  const Tensor x = test::indexed({1, 1, 7, 90});
  CHECK(exact.plan(x.sizes()).tiles().size() == 1);
  CHECK(relative_error(exact.denoise(x, 0.4), GridDenoiser().denoise(x, 0.4)) < 1e-12);
}

TEST_CASE("every window blends enough context to the untiled result") {
  const auto denoiser = std::make_shared<LocalDenoiser>(2);
  for (const BlendWindow window :
       {BlendWindow::constant, BlendWindow::linear, BlendWindow::cosine, BlendWindow::gaussian}) {
    for (const auto& shape : image_shapes()) {
      const Tensor x = test::indexed(shape);
      const Tensor untiled = denoiser->denoise(x, 0.3);
      CAPTURE(to_string(window), shape.size());
      const TilingOptions even{.context = 2, .blend = 4, .window = window, .minimum_tiles = 6};
      CHECK(tiled(denoiser, even).plan(x.sizes()).is_blended() ==
            (window != BlendWindow::constant));
      CHECK(relative_error(tiled(denoiser, even).denoise(x, 0.3), untiled) < 1e-14);
      const TilingOptions fixed{
          .tiling = Tiling::fixed, .blend = 4, .patch = {9}, .overlap = 4, .window = window};
      CHECK(relative_error(tiled(denoiser, fixed).denoise(x, 0.3), untiled) < 1e-14);
      // Too little context shows.
      const TilingOptions little{.context = 1, .blend = 4, .window = window, .minimum_tiles = 6};
      CHECK(relative_error(tiled(denoiser, little).denoise(x, 0.3), untiled) > 1e-6);
    }
  }
}

TEST_CASE("blending is a weighted sum of the tiles") {
  // Two tiles of one row, cut at 8, without context: each sees its own end of the row only.
  const auto denoiser = std::make_shared<LocalDenoiser>(1);
  const Tensor x = test::indexed({1, 1, 16});
  const TiledDenoiser two =
      tiled(denoiser, {.context = 0, .blend = 4, .window = BlendWindow::linear, .ranks = 2});
  const Tensor left = denoiser->denoise(x.narrow(2, 0, 10).contiguous(), 0.5);
  const Tensor right = denoiser->denoise(x.narrow(2, 6, 10).contiguous(), 0.5);
  Tensor expected = at::cat({left.narrow(2, 0, 8), right.narrow(2, 2, 8)}, 2);
  for (std::int64_t i = 6; i < 10; ++i) {
    const double weight = (static_cast<double>(i - 6) + 0.5) / 4;
    expected.select(2, i).copy_((1 - weight) * left.select(2, i) + weight * right.select(2, i - 6));
  }
  CHECK(relative_error(two.denoise(x, 0.5), expected) < 1e-15);
}

TEST_CASE("one sigma per image and maps of sigma survive tiling") {
  const auto denoiser = std::make_shared<LocalDenoiser>(2);
  const Tensor x = test::indexed({2, 3, 37, 29});
  const NoiseLevel per_image(at::tensor({0.1, 0.6}, at::kDouble));
  const NoiseLevel map(0.5 + 0.4 * test::indexed({2, 1, 37, 29}, 1.0));
  const NoiseLevel one_map(0.5 + 0.4 * test::indexed({1, 1, 37, 29}, 1.0));
  for (const Tiling tiling : {Tiling::exact, Tiling::fixed}) {
    for (const std::int64_t batch : {0, 1, 3}) {
      const TiledDenoiser tiles = tiled(denoiser, {.tiling = tiling,
                                                   .blend = 4,
                                                   .patch = {8},
                                                   .overlap = 4,
                                                   .minimum_tiles = 6,
                                                   .max_batch_size = batch});
      for (const NoiseLevel& level : {NoiseLevel(0.2), per_image, map, one_map}) {
        CHECK(relative_error(tiles.denoise(x, level), denoiser->denoise(x, level)) < 1e-14);
      }
    }
  }
  // Reflected windows need reflected maps: with a denoiser that only looks at its own pixel, they
  // cannot matter.
  const auto pointwise = std::make_shared<LocalDenoiser>(0);
  const TiledDenoiser deepinv =
      tiled(pointwise, {.tiling = Tiling::deepinv, .patch = {8}, .overlap = 4});
  CHECK(relative_error(deepinv.denoise(x, map), pointwise->denoise(x, map)) < 1e-14);
}

TEST_CASE("tiles are batched up to the limits") {
  const Tensor x = test::indexed({2, 3, 48, 48});
  const auto batches = [&](TilingOptions options) {
    auto denoiser = std::make_shared<LocalDenoiser>(1);
    options.tiling = Tiling::fixed;
    options.blend = 0;
    options.patch = {16};
    options.overlap = 4;
    tiled(denoiser, options).denoise(x, 0.2);
    std::vector<std::int64_t> sizes;
    for (const auto& shape : denoiser->calls) {
      CHECK(shape[2] == 24);
      CHECK(shape[3] == 24);
      sizes.push_back(shape[0] / 2);
    }
    return sizes;
  };
  CHECK(batches({.max_batch_size = 1}) == std::vector<std::int64_t>(9, 1));
  CHECK(batches({.max_batch_size = 4}) == std::vector<std::int64_t>{4, 4, 1});
  CHECK(batches({.max_batch_size = 0}) == std::vector<std::int64_t>{9});
  // Two images of three channels, 24 x 24 pixels, four times, eight bytes each.
  const double one_tile = 2.0 * 3 * 24 * 24 * 4 * 8;
  CHECK(batches({.max_batch_size = 0, .memory_limit_bytes = 2.5 * one_tile}) ==
        std::vector<std::int64_t>{2, 2, 2, 2, 1});
  CHECK(batches({.max_batch_size = 0, .memory_limit_bytes = 1}) == std::vector<std::int64_t>(9, 1));
}

TEST_CASE("a memory limit cuts an image on one rank") {
  const auto denoiser = std::make_shared<LocalDenoiser>(2);
  const Tensor x = test::indexed({1, 3, 96, 80});
  const double whole = 3.0 * 96 * 80 * 4 * 8;
  const TiledDenoiser limited =
      tiled(denoiser, {.tiling = Tiling::exact, .memory_limit_bytes = whole / 4});
  CHECK(relative_error(limited.denoise(x, 0.3), denoiser->denoise(x, 0.3)) < 1e-14);
  for (const auto& shape : denoiser->calls) {
    if (shape[2] == 96 && shape[3] == 80) continue;  // the untiled reference
    CHECK(3.0 * static_cast<double>(shape[2] * shape[3]) * 4 * 8 <= whole / 4);
  }
  CHECK(denoiser->calls.size() > 4);
}

TEST_CASE("another image shape gets another plan") {
  const auto denoiser = std::make_shared<LocalDenoiser>(1);
  const TiledDenoiser tiles = tiled(denoiser, {.tiling = Tiling::exact, .minimum_tiles = 4});
  for (const auto& shape :
       std::vector<std::vector<std::int64_t>>{{1, 1, 20, 40}, {2, 3, 40, 20}, {1, 2, 9, 9, 9}}) {
    const Tensor x = test::indexed(shape);
    CHECK(relative_error(tiles.denoise(x, 0.3), denoiser->denoise(x, 0.3)) < 1e-14);
  }
  const TiledDenoiser own(denoiser, self_communicator(),
                          TilePlan::fixed({20, 40}, {.patch = {8}, .overlap = 2}));
  const Tensor x = test::indexed({1, 1, 20, 40});
  CHECK(relative_error(own.denoise(x, 0.3), denoiser->denoise(x, 0.3)) < 1e-14);
  CHECK(message_of([&] { own.denoise(x.transpose(2, 3).contiguous(), 0.3); }) ==
        "TiledDenoiser: the plan is for images of 20x40, got 40x20");
}

TEST_CASE("tilings say what they are") {
  const auto local = std::make_shared<LocalDenoiser>(3);
  const auto unlimited = std::make_shared<LocalDenoiser>(3, false);
  const std::vector<std::int64_t> shape = {1, 3, 64, 64};

  CHECK(message_of([&] {
          tiled(unlimited, {.tiling = Tiling::exact});
        }).find("an exact tiling needs a denoiser with a reach") != std::string::npos);
  CHECK(message_of([&] {
          tiled(std::make_shared<GridDenoiser>(), {.memory_limit_bytes = 1e6}).plan(shape);
        }).find("grid gives no estimate") != std::string::npos);
  CHECK(message_of([&] { tiled(local, {.max_batch_size = -1}); }).find("max_batch_size is -1") !=
        std::string::npos);
  CHECK(message_of([&] {
          tiled(local, {.tiling = Tiling::fixed}).denoise(test::indexed(shape), 0.1);
        }).find("the patch of 448 pixels is larger than the image") != std::string::npos);

  const auto warning = [&](const DenoiserPtr& denoiser, TilingOptions options) {
    options.minimum_tiles = 2;
    const std::vector<std::string> lines = tiled(denoiser, options).warnings(shape);
    return lines.empty() ? "" : lines.front();
  };
  CHECK(warning(local, {.context = 3, .blend = 0}) == "");
  CHECK(warning(local, {.context = 2, .blend = 0}).find("context of 2 pixels is less than the 3") !=
        std::string::npos);
  CHECK(warning(unlimited, {.context = 4}).find("may depend on the whole image") !=
        std::string::npos);
  CHECK(
      warning(local, {.tiling = Tiling::deepinv, .patch = {32}, .overlap = 8}).find("reflection") !=
      std::string::npos);

  const TiledDenoiser exact = tiled(local, {.tiling = Tiling::exact, .minimum_tiles = 2});
  CHECK(exact.name() == "tiled(local)");
  CHECK(exact.reach() == 3);
  CHECK_FALSE(tiled(local, {}).reach());
  CHECK(exact.summary(shape).find("2 tiles") != std::string::npos);
  CHECK(*exact.memory_estimate(shape) < *local->memory_estimate(shape) + 2 * 3 * 64 * 64);
}

TEST_CASE("the input is not changed, and tiling can be differentiated on one rank") {
  const auto denoiser = std::make_shared<LocalDenoiser>(2);
  const TiledDenoiser tiles = tiled(denoiser, {.context = 2, .blend = 4, .minimum_tiles = 4});
  const Tensor x = test::indexed({1, 2, 20, 18});
  const Tensor copy = x.clone();
  tiles.denoise(x, 0.3);
  CHECK(at::equal(x, copy));

  const Tensor a = x.clone().requires_grad_(true);
  const Tensor b = x.clone().requires_grad_(true);
  const Tensor v = test::indexed({1, 2, 20, 18}, 2.0);
  (tiles.denoise(a, 0.3) * v).sum().backward();
  (denoiser->denoise(b, 0.3) * v).sum().backward();
  CHECK(relative_error(a.grad(), b.grad()) < 1e-13);
}
