// SPDX-License-Identifier: BSD-3-Clause
#include <ATen/ops/conv2d.h>
#include <ATen/ops/equal.h>

#include <cmath>

#include "../unit/denoiser_expectations.hpp"
#include "catch.hpp"
#include "distributed_parts.hpp"
#include "networks.hpp"
#include "tessera/comm/counting.hpp"
#include "tessera/comm/self.hpp"
#include "tessera/denoiser/drunet.hpp"
#include "tessera/distributed/distributed_physics.hpp"
#include "tessera/distributed/tiled_denoiser.hpp"
#include "tessera/fidelity/l2.hpp"
#include "tessera/physics/blur.hpp"
#include "tessera/physics/gaussian_kernel.hpp"
#include "tessera/prior/plug_and_play.hpp"
#include "tessera/solver/pnp.hpp"
#include "world.hpp"

using namespace tessera;
using test::relative_error;

// Reference numbers of deepinv 0.5.0, and whole reconstructions, on any number of ranks.
namespace {

DenoiserPtr small_drunet() {
  return std::make_shared<DRUNet>(test::sine_weights(test::drunet_keys(3, {4, 6, 8, 10}, 2)));
}

/// Three circular blurs, sigmas and angle of the reference.
std::unique_ptr<LinearPhysics> blur(std::int64_t index) {
  const double sigmas[3][3] = {{1.0, 1.0, 0.0}, {2.0, 2.0, 0.0}, {1.5, 3.0, 30.0}};
  const auto& s = sigmas[index];
  return std::make_unique<Blur>(gaussian_kernel(s[0], s[1], s[2]), Padding::circular);
}

/// What the reference loop denoises with.
class Binomial : public Denoiser {
 public:
  std::string name() const override { return "binomial"; }

 private:
  Tensor do_denoise(const Tensor& x, const NoiseLevel& /*sigma*/) const override {
    return test::smooth(x);
  }
};

}  // namespace

TEST_CASE("DRUNet under the deepinv's tiling gives the reference numbers") {
  const TiledDenoiser tiles(small_drunet(), test::world(),
                            {.tiling = Tiling::deepinv, .patch = {48}, .overlap = 16});
  const Tensor x = test::sine_image(3, 130, 100);
  CHECK(tiles.plan(x.sizes()).tiles().size() == 9);
  test::check_fingerprint(tiles.denoise(x, 0.07),
                          {-7.777740083013887,
                           52.11128848997662,
                           {0.008343959317873212, 0.08681366035735931, 0.006975667358951056,
                            0.11318566555773363, 1.0614742903131902}});
}

TEST_CASE("DRUNet tiled exactly is DRUNet") {
  // One block per scale keeps the reach, and so the image, small.
  const auto net = std::make_shared<DRUNet>(test::sine_weights(test::drunet_keys(1, {2, 3, 4}, 1)));
  const TiledDenoiser exact(net, test::world(), {.tiling = Tiling::exact, .minimum_tiles = 3});
  for (const auto& shape :
       std::vector<std::vector<std::int64_t>>{{2, 1, 150, 93}, {1, 1, 160, 160}, {1, 1, 66, 161}}) {
    const Tensor x = test::indexed(shape);
    CHECK(exact.plan(shape).tiles().size() >= 3);
    CHECK(exact.warnings(shape).size() ==
          (test::world()->size() > static_cast<int>(exact.plan(shape).tiles().size())));
    CHECK(relative_error(exact.denoise(x, 0.1), net->denoise(x, 0.1)) < 1e-12);
    const Tensor single = x.to(at::kFloat);
    CHECK(relative_error(exact.denoise(single, 0.1), net->denoise(single, 0.1)) < 1e-5);
    const NoiseLevel map(0.2 + 0.1 * test::indexed({1, 1, shape[2], shape[3]}, 1.0));
    CHECK(relative_error(exact.denoise(x, map), net->denoise(x, map)) < 1e-12);
  }
}

TEST_CASE("five iterations with the deepinv's plan give the reference numbers", "[few_ranks]") {
  const Tensor truth = test::sine_image(3, 40, 36);
  const TilingOptions tiling{.tiling = Tiling::deepinv, .patch = {24}, .overlap = 8};
  const auto prior = PlugAndPlay::fixed(
      std::make_shared<TiledDenoiser>(std::make_shared<Binomial>(), test::world(), tiling), 0.05);
  for (const bool fused : {false, true}) {
    const auto physics = std::make_shared<DistributedPhysics>(3, blur, test::world());
    const L2 fidelity(physics, physics->forward(0.9 * truth), truth, {.fused = fused});
    CHECK(fidelity.is_fused() == fused);
    const PnP<L2, PlugAndPlay> solver(fidelity, prior,
                                      {.step = 0.3, .stopping = {.max_iterations = 5}});
    std::vector<double> psnr;
    ObserverFunction observer([&](const Iteration& iteration) {
      // The reference's metric adds 1e-8 to the mean squared error.
      psnr.push_back(-10 * std::log10((iteration.x - truth).square().mean().item<double>() + 1e-8));
    });
    const SolveResult result = solver.solve(at::zeros_like(truth), observer);
    const double expected[] = {11.090183360463055, 13.33774522408449, 14.719509596020606,
                               15.614139204631812, 16.179544663828747};
    REQUIRE(psnr.size() == 5);
    for (std::size_t i = 0; i < 5; ++i) CHECK(psnr[i] == Approx(expected[i]).epsilon(1e-10));
    test::check_fingerprint(result.x, {1945.4085168998472,
                                       32.935367514106346,
                                       {0.7640838840875676, 0.7620363477007441, 0.7036116318077767,
                                        0.6025190287007413, 0.6324564017910871}});
  }
}

TEST_CASE("an iteration costs one data collective fused, two sharded") {
  const auto counting = std::make_shared<CountingCommunicator>(test::world());
  const Tensor truth = test::sine_image(3, 40, 36);
  const auto denoiser =
      std::make_shared<TiledDenoiser>(std::make_shared<Binomial>(), counting, TilingOptions{});
  const auto prior = PlugAndPlay::fixed(denoiser, 0.05);
  for (const bool fused : {false, true}) {
    const auto physics = std::make_shared<DistributedPhysics>(3, blur, counting);
    const L2 fidelity(physics, physics->forward(truth), truth, {.fused = fused});
    const PnP<L2, PlugAndPlay> solver(fidelity, prior, {.step = 0.3});
    const Tensor x = solver.step(at::zeros_like(truth));
    counting->reset();
    solver.step(x);
    const bool alone = test::world()->size() == 1;
    CHECK(counting->data(Collective::all_gather).calls == (alone ? 0 : 1));
    CHECK(counting->data(Collective::all_reduce).calls == (alone || fused ? 0 : 1));
    CHECK(counting->data().calls == (alone ? 0 : fused ? 1 : 2));
    // The flags: one agreement before each collective.
    CHECK(counting->flags().calls == (alone ? 0 : fused ? 1 : 2));
    // The bytes: the tiles as the plan counts them, and the image where gradients are added up.
    double tile_bytes = static_cast<double>(counting->data(Collective::all_gather).bytes_sent);
    test::world()->all_reduce(&tile_bytes, 1, DataType::f64, Reduction::sum);
    const TilePlan plan = denoiser->plan(truth.sizes(), truth.element_size());
    CHECK(tile_bytes ==
          plan.costs({.ranks = test::world()->size(), .bytes_per_element = 8}).exchanged_bytes);
    CHECK(counting->data(Collective::all_reduce).bytes_sent ==
          (alone || fused ? 0 : static_cast<std::int64_t>(truth.nbytes())));
  }
}

TEST_CASE("any number of ranks reconstructs the same image") {
  const Tensor truth = test::sine_image(3, 45, 37).to(at::kFloat);
  const TilePlan plan = TilePlan::even({45, 37}, {.ranks = 4, .context = 2, .blend = 4});
  const auto denoiser = std::make_shared<test::LocalDenoiser>(3);
  const auto reconstruct = [&](const CommunicatorPtr& ranks, bool fused) {
    const auto physics = std::make_shared<DistributedPhysics>(3, blur, ranks);
    const L2 fidelity(physics, physics->forward(truth), truth, {.fused = fused});
    const auto prior =
        PlugAndPlay::fixed(std::make_shared<TiledDenoiser>(denoiser, ranks, plan), 0.05);
    return PnP<L2, PlugAndPlay>(fidelity, prior, {.step = 0.3, .stopping = {.max_iterations = 4}})
        .solve(at::zeros_like(truth))
        .x;
  };
  for (const bool fused : {false, true}) {
    CHECK(relative_error(reconstruct(test::world(), fused),
                         reconstruct(self_communicator(), fused)) < 1e-6);
  }
}
