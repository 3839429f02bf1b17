// SPDX-License-Identifier: BSD-3-Clause
#include <ATen/core/grad_mode.h>
#include <ATen/ops/equal.h>

#include <cmath>

#include "catch.hpp"
#include "distributed_parts.hpp"
#include "failures.hpp"
#include "networks.hpp"
#include "tessera/comm/self.hpp"
#include "tessera/core/error.hpp"
#include "tessera/denoiser/dncnn.hpp"
#include "tessera/denoiser/drunet.hpp"
#include "tessera/distributed/tiled_denoiser.hpp"
#include "world.hpp"

using namespace tessera;
using test::relative_error;

// Run on 1 to 8 ranks: with two and six tiles, some ranks hold none.
namespace {

using Shape = std::vector<std::int64_t>;

std::vector<Shape> image_shapes() {
  return {{2, 3, 37, 29}, {2, 1, 11, 14, 17}};
}

/// Fails on rank `failing`.
DenoiserPtr failing_on(int failing) {
  if (test::world()->rank() == failing) return std::make_shared<test::FailingDenoiser>();
  class Same : public Denoiser {
   public:
    std::string name() const override { return "failing"; }

   private:
    Tensor do_denoise(const Tensor& x, const NoiseLevel& /*sigma*/) const override {
      return x.clone();
    }
  };
  return std::make_shared<Same>();
}

}  // namespace

TEST_CASE("given a plan, the bits do not depend on the number of ranks") {
  const auto denoiser = std::make_shared<test::LocalDenoiser>(3);
  for (const Shape& shape : image_shapes()) {
    const at::ScalarType type = shape.size() == 4 ? at::kFloat : at::kDouble;
    const Tensor x = test::indexed(shape, 0, type);
    const std::vector<std::int64_t> extents(shape.begin() + 2, shape.end());
    for (const TilePlan& plan :
         {TilePlan::even(extents, {.context = 1, .blend = 4, .minimum_tiles = 2}),
          TilePlan::even(extents, {.context = 1, .blend = 4, .minimum_tiles = 6}),
          TilePlan::deepinv(extents, {10}, 3)}) {
      for (const BlendWindow window :
           {BlendWindow::constant, BlendWindow::cosine, BlendWindow::gaussian}) {
        const TiledDenoiser alone(denoiser, self_communicator(), plan, {.window = window});
        const TiledDenoiser together(denoiser, test::world(), plan, {.window = window});
        CHECK(at::equal(together.denoise(x, 0.3), alone.denoise(x, 0.3)));
        const TiledDenoiser batched(denoiser, test::world(), plan,
                                    {.window = window, .max_batch_size = 0});
        CHECK(relative_error(batched.denoise(x, 0.3), alone.denoise(x, 0.3)) <
              (type == at::kDouble ? 1e-14 : 1e-6));
      }
    }
  }
}

TEST_CASE("exact tilings are exact on every number of ranks") {
  const DenoiserPtr denoisers[] = {std::make_shared<test::LocalDenoiser>(3),
                                   std::make_shared<test::GridDenoiser>()};
  for (const DenoiserPtr& denoiser : denoisers) {
    for (const Shape& shape : image_shapes()) {
      const TiledDenoiser exact(denoiser, test::world(), {.tiling = Tiling::exact});
      const Tensor x = test::indexed(shape);
      CHECK(relative_error(exact.denoise(x, 0.4), denoiser->denoise(x, 0.4)) < 1e-12);
      const NoiseLevel per_image(at::tensor({0.1, 0.6}, at::kDouble));
      CHECK(relative_error(exact.denoise(x, per_image), denoiser->denoise(x, per_image)) < 1e-12);
    }
  }
}

TEST_CASE("a volume takes along each axis the context that its denoiser needs there") {
  const auto box = std::make_shared<test::BoxDenoiser>(std::vector<std::int64_t>{1, 2, 4});
  const Tensor x = test::indexed({2, 1, 11, 14, 25});
  const Tensor untiled = box->denoise(x, 0.02);
  const PerAxis blend = {2, 0, 4};
  const auto difference = [&](const TilingOptions& options) {
    const TiledDenoiser tiles(box, test::world(), options);
    return relative_error(tiles.denoise(x, 0.02), untiled);
  };
  for (const BlendWindow window :
       {BlendWindow::constant, BlendWindow::linear, BlendWindow::cosine, BlendWindow::gaussian}) {
    const auto with = [&](const PerAxis& context) {
      return TilingOptions{
          .context = context, .blend = blend, .window = window, .minimum_tiles = 8};
    };
    CHECK(difference(with({1, 2, 4})) < 1e-14);
    CHECK(difference(with({0, 1, 3})) > 1e-6);
    CHECK(difference({.tiling = Tiling::fixed,
                      .blend = blend,
                      .patch = {6, 7, 9},
                      .overlap = {2, 2, 6},
                      .window = window}) < 1e-14);
  }
  // Given one plan, the same bits on every number of ranks.
  const TilePlan plan =
      TilePlan::even({11, 14, 25}, {.context = {1, 0, 2}, .blend = blend, .minimum_tiles = 6});
  CHECK(at::equal(TiledDenoiser(box, test::world(), plan).denoise(x, 0.02),
                  TiledDenoiser(box, self_communicator(), plan).denoise(x, 0.02)));
}

TEST_CASE("more ranks than tiles: said, and done") {
  const auto denoiser = std::make_shared<test::LocalDenoiser>(2);
  const Tensor x = test::indexed({1, 1, 20, 18});
  const TiledDenoiser two(denoiser, test::world(),
                          TilePlan::fixed({20, 18}, {.patch = {10, 18}, .overlap = 2}));
  denoiser->calls.clear();
  CHECK(relative_error(two.denoise(x, 0.3), test::LocalDenoiser(2).denoise(x, 0.3)) < 1e-14);
  const int ranks = test::world()->size();
  const std::size_t tiles = ranks == 1 ? 2 : (test::world()->rank() < 2 ? 1 : 0);
  CHECK(denoiser->calls.size() == tiles);
  CHECK(two.warnings(x.sizes()).size() == (ranks > 2 ? 1 : 0));
}

TEST_CASE("a denoiser that fails on one rank fails on all") {
  const int ranks = test::world()->size();
  if (ranks == 1) return;
  for (const int failing : {0, ranks - 1}) {
    const TiledDenoiser tiles(failing_on(failing), test::world(), {.context = 2, .blend = 0});
    const error::RankFailure failure = test::failure_of([&] {
      tiles.denoise(test::indexed({1, 1, 40, 40}), 0.1);
    });
    CHECK(failure.rank() == failing);
    CHECK(std::string(failure.what()).find("the denoiser broke") != std::string::npos);
  }
}

TEST_CASE("images and plans that differ between ranks are noticed on all") {
  const int ranks = test::world()->size();
  const int rank = test::world()->rank();
  if (ranks == 1) return;
  const auto denoiser = std::make_shared<test::LocalDenoiser>(1);
  const TiledDenoiser tiles(denoiser, test::world(), {.context = 2, .blend = 2});
  const auto denoise = [&](const Tensor& x) { tiles.denoise(x, 0.1); };
  const auto complaint = [](const auto& action) {
    return std::string(test::failure_of(action).what());
  };
  CHECK_THAT(complaint([&] {
               denoise(test::indexed({1, 1, 20, rank == 0 ? 16 : 24}));
             }),
             test::contains("tiled(local).denoise: x is [1, 1, 20, 16] float64 on cpu on rank 0 "
                            "and [1, 1, 20, 24] float64 on cpu on rank 1"));
  CHECK_THAT(complaint([&] {
               denoise(test::indexed({1, 1, 20, 16}, 0, rank == 0 ? at::kFloat : at::kDouble));
             }),
             test::contains("x is [1, 1, 20, 16] float32 on cpu on rank 0"));
  CHECK_THAT(complaint([&] {
               TiledDenoiser(denoiser, test::world(), {.context = rank == 0 ? 2 : 3})
                   .denoise(test::indexed({1, 1, 40, 40}), 0.1);
             }),
             test::contains("the digest of the tiling is "));
  // Wrong on one rank alone: not an image, a level that does not fit.
  CHECK(test::failure_of([&] {
          denoise(rank == 1 ? test::indexed({20, 16}) : test::indexed({1, 1, 20, 16}));
        }).rank() == 1);
  CHECK(test::failure_of([&] {
          tiles.denoise(
              test::indexed({2, 1, 20, 16}),
              rank == 1 ? NoiseLevel(at::tensor({0.1, 0.2, 0.3}, at::kDouble)) : NoiseLevel(0.1));
        }).rank() == 1);
  CHECK(test::failure_of([&] {
          tiles.denoise(test::indexed({2, 1, 20, 16}),
                        at::tensor({0.1, rank == 1 ? std::nan("") : 0.2}, at::kDouble));
        }).rank() == 1);
}

TEST_CASE("images of every size give the picture of one rank") {
  // Sides below 64 that are no multiples of 8 or 16, where DRUNet's rule for sizes changes.
  const auto drunet =
      std::make_shared<DRUNet>(test::sine_weights(test::drunet_keys(1, {2, 2, 2, 2}, 1)));
  for (const Shape& extents :
       {Shape{96, 60}, {60, 96}, {44, 75}, {80, 9}, {40, 72}, {31, 63}, {64, 70}}) {
    const Tensor x = test::indexed({1, 1, extents[0], extents[1]});
    const Tensor untiled = drunet->denoise(x, 0.2);
    const TiledDenoiser exact(drunet, test::world(), {.tiling = Tiling::exact});
    const TiledDenoiser even(drunet, test::world(), {.context = *drunet->reach(), .blend = 8});
    CAPTURE(extents[0], extents[1]);
    CHECK(relative_error(exact.denoise(x, 0.2), untiled) < 1e-12);
    CHECK(relative_error(even.denoise(x, 0.2), untiled) < 1e-12);
  }
}

TEST_CASE(
    "gradients over several ranks are refused, whatever asks for them; on one rank they flow") {
  const bool several = test::world()->size() > 1;
  const Tensor x = test::indexed({1, 1, 48, 40});
  const auto weights = [](bool trainable) {
    StateDict all = test::sine_weights(test::drunet_keys(1, {2, 2}, 1));
    if (trainable) all.begin()->second.requires_grad_(true);
    return all;
  };
  const auto refuses = [&](const DenoiserPtr& denoiser, const Tensor& image,
                           const NoiseLevel& sigma, const std::string& what) {
    const TiledDenoiser tiles(denoiser, test::world(), {.context = 8, .blend = 4});
    if (!several) {
      CHECK(tiles.denoise(image, sigma).requires_grad());
      return;
    }
    const error::RankFailure failure = test::failure_of([&] { tiles.denoise(image, sigma); });
    CHECK_THAT(failure.what(), test::contains(what + " requires gradients"));
    const at::NoGradGuard no_gradients;
    CHECK_FALSE(tiles.denoise(image, sigma).requires_grad());
  };
  const auto plain = std::make_shared<DRUNet>(weights(false));
  const auto trainable = std::make_shared<DRUNet>(weights(true));
  const Tensor level = at::tensor({0.1}, at::kDouble).requires_grad_(true);
  const Tensor map = test::indexed({1, 1, 48, 40}).abs().requires_grad_(true);
  CHECK(trainable->is_trainable());
  CHECK_FALSE(plain->is_trainable());
  refuses(plain, x.clone().requires_grad_(true), 0.1, "x");
  refuses(plain, x, level, "sigma");
  refuses(plain, x, map, "sigma");
  refuses(trainable, x, 0.1, "a parameter of the denoiser");
  // A tiled denoiser of a tiled one, and another network.
  refuses(std::make_shared<TiledDenoiser>(trainable, self_communicator(),
                                          TilingOptions{.context = 8, .blend = 4}),
          x, 0.1, "a parameter of the denoiser");
  StateDict dncnn = test::sine_weights(test::dncnn_keys(1, 3, 3, true));
  dncnn.at("in_conv.bias").requires_grad_(true);
  refuses(std::make_shared<DnCNN>(dncnn), x, 0.1, "a parameter of the denoiser");
}
