// SPDX-License-Identifier: BSD-3-Clause
#include <string>

#include "catch.hpp"
#include "tessera/distributed/scaling_model.hpp"

using namespace tessera;

namespace {

MachineCosts per_pixel_only() {
  MachineCosts costs;
  costs.denoise_s_per_pixel = 1e-6;
  costs.bandwidth_bytes_per_s = 1e30;
  return costs;
}

double speed_up(const TilePlan& plan, int ranks, const MachineCosts& costs) {
  const TilePlan untiled = TilePlan::even(plan.shape(), {});
  return predict(untiled, 1, costs, {}).total_s() / predict(plan, ranks, costs, {}).total_s();
}

}  // namespace

TEST_CASE("scaling: one rank denoises the whole image and sends nothing") {
  MachineCosts costs = per_pixel_only();
  costs.denoise_s_per_tile = 0.5;
  costs.replicated_s = 0.25;
  costs.latency_s = 1;
  const ScalingRow row = predict(TilePlan::even({100, 200}, {}), 1, costs, {});
  CHECK(row.tiles == 1);
  CHECK(row.denoise_s == Approx(0.5 + 20000e-6));
  CHECK(row.exchange_s == 0);
  CHECK(row.received_bytes == 0);
  CHECK(row.total_s() == Approx(0.77));
}

TEST_CASE("scaling: the busiest rank's tiles, a ring of tiles and two flags") {
  MachineCosts costs = per_pixel_only();
  costs.denoise_s_per_tile = 1e-3;
  costs.bandwidth_bytes_per_s = 1e6;
  costs.latency_s = 1e-3;
  costs.replicated_s = 7;
  // Cores of 40: 3 x 2 tiles, of which 5 ranks hold 2, 1, 1, 1, 1; all windows have 60 x 60 pixels.
  const TilePlan plan = TilePlan::fixed({120, 80}, {.patch = {40}, .overlap = 10});
  REQUIRE(plan.tiles().size() == 6);
  const ScalingRow row = predict(plan, 5, costs, {.channels = 2, .bytes_per_element = 8});
  CHECK(row.idle_ranks == 0);
  CHECK(row.denoise_s == Approx(2 * (1e-3 + 3600e-6)));
  CHECK(row.balance == Approx(2 * 3600.0 * 5 / (120 * 80)));
  CHECK(row.received_bytes == Approx(120.0 * 80 * 16 * 4 / 5));
  const double flags_s = 2 * (2 * 3 * 1e-3);  // there and back over 3 levels of a tree
  CHECK(row.exchange_s == Approx(4 * 1e-3 + row.received_bytes / 1e6 + flags_s));
  CHECK(row.total_s() == Approx(row.denoise_s + row.exchange_s + 7));
  CHECK(predict(plan, 8, costs, {}).idle_ranks == 2);
}

TEST_CASE("scaling: what a rank holds") {
  MachineCosts costs = per_pixel_only();
  costs.process_bytes = 1e9;
  costs.replicated_bytes = 1e8;
  const TilePlan plan = TilePlan::fixed({64, 64}, {.patch = {32}, .overlap = 8});  // 48 x 48
  const double image = 64 * 64 * 3 * 4;
  const Workload eight{.operators = 8, .working_elements_per_pixel = 100};
  const auto peak = [&](int ranks, const Workload& workload) {
    return predict(plan, ranks, costs, workload).peak_bytes;
  };
  const double network = 100.0 * 48 * 48 * 4;
  CHECK(peak(4, eight) == Approx(1.1e9 + network + image * (1 + 1 + 1.0 / 3)));
  CHECK(peak(3, eight) == Approx(1.1e9 + network + image * (1 + 2 * (1 + 1.0 / 3))));
  Workload all = eight;
  all.shares_operators = false;
  CHECK(peak(4, all) - peak(4, eight) == Approx(image * 6 * (1 + 1.0 / 3)));
}

TEST_CASE("scaling: balance bounds the published speed-ups of deepinv's tiling at 16 GPUs") {
  const double large = speed_up(TilePlan::deepinv({2731, 4096}, {448}, 32), 16, per_pixel_only());
  const double small = speed_up(TilePlan::deepinv({683, 1024}, {448}, 32), 16, per_pixel_only());
  CHECK(large == Approx(8.53).epsilon(1e-3));  // published: 5.75
  CHECK(small == Approx(2.67).epsilon(1e-3));  // published: 1.48
  const EvenTiles even{.ranks = 16, .context = 32, .alignment = 8};
  CHECK(speed_up(TilePlan::even({2731, 4096}, even), 16, per_pixel_only()) > 14);
  CHECK(speed_up(TilePlan::even({683, 1024}, even), 16, per_pixel_only()) > 9);
}

TEST_CASE("scaling: the table has a row for each number of ranks, and advice") {
  MachineCosts costs = per_pixel_only();
  costs.replicated_s = 0.02;
  const std::vector<std::int64_t> shape{640, 1024};
  const ScalingRow single = predict(TilePlan::even(shape, {}), 1, costs, {});
  std::vector<ScalingRow> rows;
  for (const int ranks : {1, 4, 1024}) {
    const EvenTiles even{.ranks = ranks, .context = 32, .alignment = 8};
    rows.push_back(predict(TilePlan::even(shape, even), ranks, costs, {}));
  }
  const std::string text =
      scaling_table({.problem = "image 1024x640", .threads = 3}, costs, single, rows);
  CHECK_THAT(text, test::contains("image 1024x640") && test::contains("3 threads per rank") &&
                       test::contains("\n     1      1     0     1.00") &&
                       test::contains("      1.00      100 %") && test::contains("\n  1024 "));
  CHECK_THAT(text, test::contains("of use up to 4 ranks; fastest: 1024 ranks"));
}
