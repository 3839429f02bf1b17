// SPDX-License-Identifier: BSD-3-Clause
#include <ATen/ops/zeros_like.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "catch.hpp"
#include "files.hpp"
#include "tensors.hpp"
#include "tessera/comm/agreement.hpp"
#include "tessera/core/error.hpp"
#include "tessera/denoiser/total_variation.hpp"
#include "tessera/distributed/distributed_physics.hpp"
#include "tessera/distributed/tiled_denoiser.hpp"
#include "tessera/fidelity/l2.hpp"
#include "tessera/physics/blur.hpp"
#include "tessera/physics/gaussian_kernel.hpp"
#include "tessera/prior/plug_and_play.hpp"
#include "tessera/report/report.hpp"
#include "tessera/run/run_folder.hpp"
#include "tessera/solver/pnp.hpp"
#include "world.hpp"

using namespace tessera;

namespace {

/// One folder for all ranks.
std::string shared_folder(Communicator& world) {
  std::int64_t number = ::getpid();
  world.broadcast(&number, 1, DataType::i64, 0);
  return (std::filesystem::temp_directory_path() / ("tessera.run." + std::to_string(number)))
      .string();
}

}  // namespace

TEST_CASE("A user's own solver run leaves the same files, with a row for every rank") {
  const CommunicatorPtr world = test::world();
  const std::string out = shared_folder(*world);
  const Tensor truth = test::indexed({1, 3, 24, 40}).abs();

  const auto ranks = std::make_shared<CountingCommunicator>(world);
  const auto physics = std::make_shared<DistributedPhysics>(
      4,
      [](std::int64_t index) {
        return std::make_unique<Blur>(gaussian_kernel(1.0, 0.5, 45.0 * static_cast<double>(index)));
      },
      ranks);
  const L2 fidelity(physics, physics->measure(truth), truth, {.fused = false});
  TilingOptions tiling;
  tiling.context = 4;
  tiling.blend = 0;
  const auto denoiser =
      std::make_shared<TiledDenoiser>(std::make_shared<TotalVariation>(), ranks, tiling);
  const PlugAndPlay prior = PlugAndPlay::fixed(denoiser, 0.05);
  PnPOptions options{.step = 0.25};
  options.stopping.max_iterations = 3;
  const PnP solver(fidelity, prior, options);

  Recorder recorder(
      {.truth = truth, .compare = ranks->is_root(), .traffic = ranks, .denoiser = denoiser});
  solver.solve(at::zeros_like(truth), recorder);
  write_run(out, *ranks, recorder);
  if (ranks->is_root()) write_report(out + "/report.html", {out});

  guarded(*world, "check", [&] {
    if (!world->is_root()) return;
    const auto summary = nlohmann::json::parse(test::read_bytes(out + "/summary.json"));
    CHECK(summary.at("ranks") == world->size());
    CHECK(summary.at("hosts").size() == static_cast<std::size_t>(world->size()));
    CHECK(summary.at("totals").at("psnr") > 10);
    const auto& per_rank = summary.at("statistics").at("per_rank");
    REQUIRE(per_rank.size() == static_cast<std::size_t>(world->size()));
    const auto plan = nlohmann::json::parse(test::read_bytes(out + "/plan.json"));
    CHECK(plan.at("ranks") == world->size());
    CHECK(plan.at("tiles").size() == denoiser->plan(truth.sizes()).tiles().size());
    double sent = 0;
    for (int rank = 0; rank < world->size(); ++rank) {
      sent += per_rank.at(static_cast<std::size_t>(rank))
                  .at("communication_bytes")
                  .at("median")
                  .get<double>();
      const std::string csv = test::read_bytes(out + "/rank_" + std::to_string(rank) + ".csv");
      CHECK(std::count(csv.begin(), csv.end(), '\n') == 4);
    }
    // Every rank has an image to reduce; the tiles of all ranks are the image.
    const auto image_bytes = static_cast<double>(truth.numel() * 8);
    CHECK(sent == (world->size() == 1 ? 0 : (world->size() + 1) * image_bytes));
    CHECK(!std::filesystem::exists(out + "/rank_" + std::to_string(world->size()) + ".csv"));
    CHECK(std::filesystem::file_size(out + "/report.html") > 10'000);
    std::filesystem::remove_all(out);
  });
}

TEST_CASE("A folder that cannot be written is an error on every rank") {
  const CommunicatorPtr world = test::world();
  Recorder recorder;
  const Tensor x = test::indexed({1, 1, 4, 4});
  recorder.on_start(x);
  SolveResult result;
  result.x = x;
  recorder.on_end(result);
  CHECK_THROWS_WITH(write_run("/proc/nowhere", *world, recorder),
                    test::contains("/proc/nowhere: cannot be created"));
}
