// SPDX-License-Identifier: BSD-3-Clause
#include "tessera/run/run_folder.hpp"

#include <filesystem>
#include <nlohmann/json.hpp>

#include "catch.hpp"
#include "files.hpp"
#include "tensors.hpp"
#include "tessera/comm/self.hpp"
#include "tessera/core/error.hpp"
#include "tessera/denoiser/total_variation.hpp"
#include "tessera/distributed/tiled_denoiser.hpp"
#include "tessera/io/image.hpp"

using namespace tessera;
using nlohmann::json;

namespace {

const Tensor picture = test::indexed({1, 3, 20, 30}).abs();

/// Two repetitions of three iterations that took known times.
Recorder recorded() {
  Recorder recorder({.truth = picture});
  for (int repetition = 0; repetition < 2; ++repetition) {
    recorder.on_start(picture);
    double elapsed = 0;
    for (const double seconds : {9.0, 1.0, 2.0 + repetition}) {
      elapsed += seconds;
      const auto index = static_cast<std::int64_t>(recorder.rows().size() % 3);
      recorder.on_iteration({.index = index,
                             .x = picture + 0.1,
                             .gradient_time_s = 0.25 * seconds,
                             .prior_time_s = 0.5 * seconds,
                             .elapsed_s = elapsed,
                             .relative_change = 0.5});
    }
    SolveResult result;
    result.x = picture + 0.1;
    result.iterations = 3;
    result.elapsed_s = elapsed;
    recorder.on_end(result);
  }
  return recorder;
}

json read_json(const std::string& path) {
  return json::parse(test::read_bytes(path));
}

}  // namespace

TEST_CASE("write_run: leaves what it promises") {
  const test::TemporaryFolder folder;
  const std::string out = folder.file("new/run");
  RunDescription description;
  description.configuration = {{"solver", std::string("pnp")},
                               {"shared", true},
                               {"size", std::int64_t{30}},
                               {"sigma", 0.25},
                               {"angles", std::vector<std::int64_t>{1, 2}}};
  description.totals = {{"setup_time_sec", 1.5}};
  description.more = {{"arguments", std::vector<std::string>{"--a", "b"}}};
  description.plan = TilePlan::even({20, 30}, {.ranks = 2, .context = 4, .blend = 4});
  description.pictures = {{"measurement 1", picture}};
  description.operators_per_rank = {8};
  write_run(out, *self_communicator(), recorded(), description);

  const json summary = read_json(out + "/summary.json");
  CHECK(summary.at("completed") == true);
  CHECK(summary.at("configuration") ==
        json::parse(
            R"({"solver": "pnp", "shared": true, "size": 30, "sigma": 0.25, "angles": [1, 2]})"));
  CHECK(summary.at("arguments") == json({"--a", "b"}));
  CHECK(summary.at("ranks") == 1);
  CHECK(summary.at("hosts").size() == 1);
  CHECK(summary.at("device") == "cpu");
  CHECK(summary.at("versions").contains("libtorch"));
  CHECK(summary.at("machine").at("cores") > 0);
  CHECK(summary.at("stopped") == to_string(StopReason::max_iterations));
  CHECK(summary.at("operators_per_rank") == json({8}));

  // Totals of the last repetition.
  const json& totals = summary.at("totals");
  CHECK(totals.at("iterations") == 3);
  CHECK(totals.at("time_sec") == Approx(13));
  CHECK(totals.at("gradient_time_sec") == Approx(0.25 * 13));
  CHECK(totals.at("denoise_compute_sec") == Approx(0.5 * 13));
  CHECK(totals.at("psnr") == Approx(20));
  CHECK(totals.at("setup_time_sec") == 1.5);
  CHECK(totals.at("objective").is_null());

  // Iterations after the warm-up took 1, 2, 1 and 3 seconds.
  const json& statistics = summary.at("statistics");
  CHECK(statistics.at("warmup_iterations") == 1);
  CHECK(statistics.at("repetitions") == 2);
  const json& iteration = statistics.at("all").at("iteration_time_sec");
  CHECK(iteration.at("median") == Approx(1.5));
  CHECK(iteration.at("min") == Approx(1));
  CHECK(iteration.at("max") == Approx(3));
  CHECK(statistics.at("per_rank").at(0).at("denoise_time_sec").at("median") == Approx(0.75));

  const json plan = read_json(out + "/plan.json");
  CHECK(plan.at("shape") == json({20, 30}));
  REQUIRE(plan.at("tiles").size() == description.plan->tiles().size());
  const TileAxis& axis = description.plan->tiles()[1].axes[1];
  const json& tile = plan.at("tiles").at(1);
  CHECK(tile.at("owner") == 0);
  CHECK(tile.at("core").at(1) == json({axis.core.begin, axis.core.end}));
  CHECK(tile.at("window").at(1) == json({axis.window.begin, axis.window.end}));
  CHECK(tile.at("support").at(1) == json({axis.support().begin, axis.support().end}));
  CHECK(tile.at("blend_before").at(1) == axis.blend_before);

  for (const json& entry : summary.at("pictures")) {
    CHECK(read_image(out + "/" + entry.at("file").get<std::string>()).size(3) == 30);
  }
  CHECK(summary.at("pictures").size() == 3);
  CHECK(std::filesystem::exists(out + "/measurement_1.png"));
  CHECK(std::filesystem::exists(out + "/metrics.csv"));
  CHECK(std::filesystem::exists(out + "/rank_0.csv"));
}

TEST_CASE("write_run: nothing of an earlier run with more ranks stays") {
  const test::TemporaryFolder folder;
  for (const char* name : {"rank_1.csv", "rank_2.csv", "plan.json"}) {
    test::write_bytes(folder.file(name), "old");
  }
  write_run(folder.path(), *self_communicator(), recorded());
  CHECK(std::filesystem::exists(folder.file("rank_0.csv")));
  CHECK(!std::filesystem::exists(folder.file("rank_1.csv")));
  CHECK(!std::filesystem::exists(folder.file("rank_2.csv")));
  CHECK(!std::filesystem::exists(folder.file("plan.json")));
}

TEST_CASE("write_run: one iteration alone is not left out; failures say what") {
  const test::TemporaryFolder folder;
  Recorder recorder;
  CHECK_THROWS_WITH(write_run(folder.path(), *self_communicator(), recorder),
                    test::contains("has seen no run end"));
  recorder.on_start(picture);
  recorder.on_iteration({.x = picture, .elapsed_s = 4});
  SolveResult result;
  result.x = picture;
  recorder.on_end(result);
  write_run(folder.path(), *self_communicator(), recorder);
  const json summary = read_json(folder.file("summary.json"));
  CHECK(summary.at("statistics").at("all").at("iteration_time_sec").at("median") == 4.0);
  CHECK(summary.at("pictures").size() == 1);  // no truth

  test::write_bytes(folder.file("file"), "in the way");
  CHECK_THROWS_AS(write_run(folder.file("file/run"), *self_communicator(), recorder), error::Io);
}

TEST_CASE("write_run takes the tiles from the recorder's denoiser") {
  const test::TemporaryFolder folder;
  const auto run = [&](const DenoiserPtr& denoiser, const RunDescription& description) {
    Recorder recorder({.denoiser = denoiser});
    recorder.on_start(picture);
    recorder.on_iteration({.x = picture, .elapsed_s = 1, .relative_change = 0.25});
    SolveResult result;
    result.x = picture;
    recorder.on_end(result);
    write_run(folder.path(), *self_communicator(), recorder, description);
    return read_json(folder.file("summary.json"));
  };
  TilingOptions tiling;
  tiling.minimum_tiles = 2;
  tiling.context = 4;
  tiling.blend = 0;
  const auto plain = std::make_shared<TotalVariation>();
  const auto tiled = std::make_shared<TiledDenoiser>(plain, self_communicator(), tiling);
  json summary = run(tiled, {});
  CHECK(summary.at("denoiser") == "tiled(" + plain->name() + ")");
  CHECK(summary.at("tile_plan") == tiled->summary(picture.sizes(), 8));
  CHECK(summary.at("totals").at("relative_change") == 0.25);
  CHECK(read_json(folder.file("plan.json")).at("tiles").size() ==
        tiled->plan(picture.sizes()).tiles().size());
  CHECK(tiled->plan(picture.sizes()).tiles().size() >= 2);

  // What the description says comes first.
  const TilePlan own = TilePlan::even({20, 30}, {.ranks = 3, .context = 4, .blend = 4});
  summary = run(tiled, {.plan = own, .tiling = "as told"});
  CHECK(summary.at("tile_plan") == "as told");
  CHECK(read_json(folder.file("plan.json")).at("tiles").size() == own.tiles().size());

  CHECK(run(plain, {}).at("denoiser") == plain->name());
  CHECK(!std::filesystem::exists(folder.file("plan.json")));
  CHECK(!run(nullptr, {}).contains("denoiser"));
}
