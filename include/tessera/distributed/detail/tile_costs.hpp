// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>

#include "tessera/core/text.hpp"
#include "tessera/distributed/detail/tile_geometry.hpp"
#include "tessera/distributed/tile_plan.hpp"

namespace tessera {

namespace detail {

inline std::string megabytes(double bytes) {
  return formatted("{:.1f} MB", bytes / 1e6);
}

}  // namespace detail

inline TileCosts TilePlan::costs(const TileCostOptions& options) const {
  const std::string who = "TilePlan.costs";
  detail::check_at_least(options.ranks, 1, "ranks", who);
  detail::check_at_least(options.batch, 1, "batch", who);
  detail::check_at_least(options.channels, 1, "channels", who);
  detail::check_at_least(options.bytes_per_element, 1, "bytes_per_element", who);
  detail::check_at_least(options.tiles_per_batch, 1, "tiles_per_batch", who);

  TileCosts costs;
  costs.tiles = static_cast<std::int64_t>(tiles_.size());
  double image = 1;
  for (const std::int64_t extent : shape_) image *= static_cast<double>(extent);
  double computed = 0;
  double exchanged = 0;
  std::int64_t smallest = 0;
  std::int64_t largest = 0;
  for (const Tile& tile : tiles_) {
    const std::int64_t pixels = tile.window_pixels();
    computed += static_cast<double>(pixels);
    exchanged += static_cast<double>(tile.support_pixels());
    if (smallest == 0 || pixels < smallest) {
      smallest = pixels;
      costs.smallest_window = tile.window_shape();
    }
    if (pixels > largest) {
      largest = pixels;
      costs.largest_window = tile.window_shape();
    }
  }
  costs.work_factor = computed / image;

  const Partition partition = assign(options.ranks);
  double busiest = 0;
  std::int64_t most_tiles = 0;
  for (int rank = 0; rank < options.ranks; ++rank) {
    const std::vector<std::int64_t> own = partition.of(rank);
    double load = 0;
    for (const std::int64_t tile : own)
      load += static_cast<double>(tiles_[static_cast<std::size_t>(tile)].window_pixels());
    busiest = std::max(busiest, load);
    most_tiles = std::max(most_tiles, static_cast<std::int64_t>(own.size()));
    if (own.empty()) ++costs.idle_ranks;
  }
  costs.imbalance = busiest / (image / options.ranks);

  const double bytes_per_pixel =
      static_cast<double>(options.batch * options.channels * options.bytes_per_element);
  costs.exchanged_bytes = options.ranks > 1 ? exchanged * bytes_per_pixel : 0;
  const double working = options.working_elements_per_pixel * static_cast<double>(largest) *
                         static_cast<double>(std::min(options.tiles_per_batch, most_tiles)) *
                         static_cast<double>(options.batch * options.bytes_per_element);
  const double held =
      exchanged * bytes_per_pixel * (options.ranks > 1 ? 1 + 1.0 / options.ranks : 1);
  // The working memory is gone when the result is put together from what was exchanged.
  costs.peak_bytes = image * bytes_per_pixel +
                     std::max(working + held / options.ranks, held + image * bytes_per_pixel);
  return costs;
}

inline std::string TilePlan::summary(const TileCostOptions& options) const {
  const TileCosts costs = this->costs(options);
  std::string text = formatted("image {}: {} tile{}, {} to {} pixels\n", detail::by(shape_),
                               costs.tiles, costs.tiles == 1 ? "" : "s",
                               detail::by(costs.smallest_window), detail::by(costs.largest_window));
  text +=
      formatted("work: {:.3f} pixels computed per pixel; largest rank {:.3f} of an ideal 1/{}\n",
                costs.work_factor, costs.imbalance, options.ranks);
  if (costs.idle_ranks > 0) text += formatted("ranks without a tile: {}\n", costs.idle_ranks);
  text += formatted("exchanged: {} per denoising\n", detail::megabytes(costs.exchanged_bytes));
  text += formatted(
      "memory: about {} per rank{}\n", detail::megabytes(costs.peak_bytes),
      options.working_elements_per_pixel > 0 ? "" : " beside the denoiser's working memory");
  return text;
}

}  // namespace tessera
