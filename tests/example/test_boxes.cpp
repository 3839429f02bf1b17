// SPDX-License-Identifier: BSD-3-Clause
// What ranks that share out the image would communicate, and how their runs would scale.
#include <ATen/ops/full.h>

#include <memory>

#include "catch.hpp"
#include "restoration/networks.hpp"
#include "restoration/scene.hpp"
#include "tessera/comm/rehearsal.hpp"
#include "tessera/core/error.hpp"
#include "tessera/denoiser/layerwise_network.hpp"
#include "tessera/distributed/layerwise_denoiser.hpp"
#include "tessera/distributed/scaling_model.hpp"

using namespace tessera;

TEST_CASE("A rehearsal counts what a rank in the middle would receive") {
  const auto rank = std::make_shared<Rehearsal>(4, 9);
  const BoxSpace space(rank, Extents{30, 60}, {.grid = {3, 3}});
  rank->reset();
  const Tensor own = at::full({1, 2, 10, 20}, 0.5);
  const Tensor window = space.with_halo(own, {{1, 3}, {1, 3}}, Padding::circular);
  CHECK(window.sizes() == at::IntArrayRef({1, 2, 12, 26}));
  CHECK(rank->traffic().exchanges == 1);
  CHECK(rank->traffic().messages == 8);
  CHECK(rank->traffic().received_bytes == 4 * 2 * (12 * 26 - 10 * 20));
  CHECK(window.sum().item<double>() == Approx(0.5 * own.numel()));  // of others nothing
  CHECK_THROWS_WITH(Rehearsal(9, 9), test::contains("Rehearsal: rank 9 of 9"));
}

TEST_CASE("On 64 ranks layers keep the efficiency that a context of 32 pixels costs") {
  const Extents extents = {2048, 2048};
  std::string weights;
  const DenoiserPtr network =
      restoration::make_denoiser(restoration::DenoiserKind::drunet, weights, at::kCPU);
  // A core with the weights that ship: 0.95 us per pixel (docs/explanation/scaling.md).
  MachineCosts costs;
  costs.denoise_s_per_pixel = 0.95e-6;
  costs.bandwidth_bytes_per_s = 25e9;
  costs.latency_s = 3e-6;
  BoxWork work{.pixels = 2048 * 2048, .box_pixels = 2048 * 2048};
  const double alone = predict_boxes(work, 1, costs, {}).total_s();
  CHECK(alone == Approx(2048 * 2048 * 0.95e-6));

  const auto rank = std::make_shared<Rehearsal>(27, 64);
  const auto space = std::make_shared<BoxSpace>(rank, extents, BoxSpaceOptions{.alignment = 8});
  const LayerwiseDenoiser layers(std::dynamic_pointer_cast<const LayerwiseNetwork>(network), space);
  rank->reset();
  layers.denoise(at::full({1, 3, 256, 256}, 0.5), 0.1);
  work.box_pixels = 256 * 256;
  work.traffic = rank->traffic();
  CHECK(work.traffic.messages == 8 * work.traffic.exchanges);
  const ScalingRow by_layers = predict_boxes(work, 64, costs, {});
  CHECK(by_layers.balance == 1);
  CHECK(alone / by_layers.total_s() / 64 >= 0.85);

  work.tiles = TilePlan::even(extents, {.ranks = 64, .context = 32, .alignment = 8});
  work.traffic = {};  // in favour of tiles
  const double by_context = alone / predict_boxes(work, 64, costs, {}).total_s() / 64;
  CHECK(by_context > 0.5);
  CHECK(by_context < 0.7);
}

TEST_CASE("A box of the synthetic scene has the bits of the whole") {
  const Tensor whole = restoration::synthetic_scene(300);
  CHECK(whole.sizes() == at::IntArrayRef({1, 3, 187, 300}));
  const Box box{{{63, 131}, {7, 292}}};
  CHECK(restoration::synthetic_scene(300, box).equal(whole.narrow(2, 63, 68).narrow(3, 7, 285)));
}
