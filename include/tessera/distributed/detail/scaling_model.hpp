// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "tessera/core/text.hpp"
#include "tessera/distributed/scaling_model.hpp"

namespace tessera {

namespace detail {

inline constexpr int flags_per_iteration = 2;

/// The time and the pixels of the busiest rank.
struct RankLoad {
  double seconds = 0;
  double pixels = 0;
};

inline RankLoad busiest(const TilePlan& plan, int ranks, const MachineCosts& costs) {
  const Partition owners = plan.assign(ranks);
  RankLoad most;
  for (int rank = 0; rank < ranks; ++rank) {
    RankLoad load;
    for (const std::int64_t tile : owners.of(rank)) {
      const auto pixels =
          static_cast<double>(plan.tiles()[static_cast<std::size_t>(tile)].window_pixels());
      load.pixels += pixels;
      load.seconds += costs.denoise_s_per_tile + costs.denoise_s_per_pixel * pixels;
    }
    most.seconds = std::max(most.seconds, load.seconds);
    most.pixels = std::max(most.pixels, load.pixels);
  }
  return most;
}

/// Bytes of what the busiest rank holds beside MachineCosts::replicated_bytes: the truth, and for
/// each further operator a measurement and a kernel spectrum (one channel, half of the frequencies,
/// complex).
inline double held_bytes(double image_bytes, int ranks, const Workload& workload) {
  const double spectrum = 1.0 / static_cast<double>(workload.channels);
  const std::int64_t operators =
      workload.shares_operators ? (workload.operators + ranks - 1) / ranks : workload.operators;
  return image_bytes * (1 + static_cast<double>(operators - 1) * (1 + spectrum));
}

inline std::string count_of(int ranks) {
  return formatted("{} rank{}", ranks, ranks == 1 ? "" : "s");
}

}  // namespace detail

inline ScalingRow predict(const TilePlan& plan, int ranks, const MachineCosts& costs,
                          const Workload& workload) {
  const TileCosts tiles = plan.costs({.ranks = ranks,
                                      .channels = workload.channels,
                                      .bytes_per_element = workload.bytes_per_element});
  double image_bytes = static_cast<double>(workload.channels * workload.bytes_per_element);
  for (const std::int64_t extent : plan.shape()) image_bytes *= static_cast<double>(extent);
  const double others = static_cast<double>(ranks - 1) / ranks;
  const double hops = std::ceil(std::log2(ranks));

  ScalingRow row{.ranks = ranks, .tiles = tiles.tiles, .idle_ranks = tiles.idle_ranks};
  row.balance = tiles.imbalance;
  row.denoise_s = detail::busiest(plan, ranks, costs).seconds;
  row.received_bytes = tiles.exchanged_bytes * others;
  row.exchange_s = (ranks - 1) * costs.latency_s +
                   row.received_bytes / costs.bandwidth_bytes_per_s +
                   2 * detail::flags_per_iteration * hops * costs.latency_s;
  row.replicated_s = costs.replicated_s;
  double largest_window = 1;
  for (const std::int64_t extent : tiles.largest_window)
    largest_window *= static_cast<double>(extent);
  row.peak_bytes = costs.process_bytes + costs.replicated_bytes +
                   detail::held_bytes(image_bytes, ranks, workload) +
                   workload.working_elements_per_pixel * largest_window *
                       static_cast<double>(workload.bytes_per_element);
  return row;
}

inline ScalingRow predict_boxes(const BoxWork& work, int ranks, const MachineCosts& costs,
                                const Workload& workload) {
  const double share = work.box_pixels / work.pixels;
  const double hops = std::ceil(std::log2(ranks));
  ScalingRow row{.ranks = ranks, .tiles = ranks, .balance = share * ranks};
  double window = work.box_pixels;
  if (work.tiles) {
    const TileCosts tiles = work.tiles->costs({.ranks = ranks});
    row.tiles = tiles.tiles;
    row.idle_ranks = tiles.idle_ranks;
    row.balance = tiles.imbalance;
    row.denoise_s = detail::busiest(*work.tiles, ranks, costs).seconds;
    window = 1;
    for (const std::int64_t extent : tiles.largest_window) window *= static_cast<double>(extent);
  } else {
    row.denoise_s = costs.denoise_s_per_tile + costs.denoise_s_per_pixel * work.box_pixels;
  }
  if (ranks > 1) {
    const RankTraffic& traffic = work.traffic;
    row.received_bytes = traffic.received_bytes;
    row.exchange_s = static_cast<double>(traffic.messages) * costs.latency_s +
                     traffic.received_bytes / costs.bandwidth_bytes_per_s +
                     2 * static_cast<double>(traffic.reductions + 1) * hops * costs.latency_s;
  }
  row.replicated_s = costs.replicated_s * share;
  const auto element = static_cast<double>(workload.bytes_per_element);
  const double image_bytes = static_cast<double>(workload.channels) * element * work.pixels;
  row.peak_bytes = costs.process_bytes +
                   share * (costs.replicated_bytes + detail::held_bytes(image_bytes, 1, workload)) +
                   workload.working_elements_per_pixel * window * element;
  return row;
}

inline std::string scaling_table(const ScalingTitle& title, const MachineCosts& costs,
                                 const ScalingRow& single, const std::vector<ScalingRow>& rows) {
  std::string text = formatted(
      "One iteration, {}.\n"
      "Measured here, {} thread{} per rank: denoiser {:.4g} us per pixel and {:.2g} ms per tile; "
      "the rest {:.3g} ms, {}.\n"
      "Assumed: {:.4g} GB/s and {:.4g} us latency between ranks{}; every "
      "rank has the cores or the GPU of this process.\n\n"
      "{:>6} {:>6} {:>5} {:>8} {:>10} {:>10} {:>10} {:>10} {:>9} {:>10} {:>9} {:>10}\n",
      title.problem, title.threads, title.threads == 1 ? "" : "s", costs.denoise_s_per_pixel * 1e6,
      costs.denoise_s_per_tile * 1e3, costs.replicated_s * 1e3, title.rest,
      costs.bandwidth_bytes_per_s * 1e-9, costs.latency_s * 1e6,
      title.settings.empty() ? "" : formatted(" ({})", title.settings), "ranks", "tiles", "idle",
      "balance", "denoise s", "exchange s", "rest s", "total s", "speed-up", "efficiency",
      "MB/iter", "memory MB");
  const ScalingRow* fastest = nullptr;
  const ScalingRow* worthwhile = nullptr;
  for (const ScalingRow& row : rows) {
    const double speed_up = single.total_s() / row.total_s();
    const double efficiency = speed_up / row.ranks;
    text += formatted(
        "{:>6} {:>6} {:>5} {:>8.2f} {:>10.4f} {:>10.4f} {:>10.4f} {:>10.4f} {:>9.2f} {:>8.0f} % "
        "{:>9.1f} {:>10.0f}\n",
        row.ranks, row.tiles, row.idle_ranks, row.balance, row.denoise_s, row.exchange_s,
        row.replicated_s, row.total_s(), speed_up, 100 * efficiency, row.received_bytes * 1e-6,
        row.peak_bytes * 1e-6);
    if (fastest == nullptr || row.total_s() < fastest->total_s()) fastest = &row;
    if (efficiency >= 0.5 && (worthwhile == nullptr || row.ranks > worthwhile->ranks))
      worthwhile = &row;
  }
  text +=
      "\nbalance: pixels that the busiest rank denoises, over an even share of the image. "
      "speed-up: "
      "over one rank\nwithout tiles. MB/iter: received by each rank. memory: of the busiest rank, "
      "metrics of the first rank excluded.\n";
  if (worthwhile != nullptr)
    text += formatted("At least half of every rank's time is of use up to {}",
                      detail::count_of(worthwhile->ranks));
  if (fastest != nullptr) {
    text +=
        formatted("{}astest: {}, {:.4f} s per iteration.\n", worthwhile == nullptr ? "F" : "; f",
                  detail::count_of(fastest->ranks), fastest->total_s());
  }
  return text;
}

}  // namespace tessera
