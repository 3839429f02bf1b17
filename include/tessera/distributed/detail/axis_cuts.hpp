// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "tessera/distributed/detail/tile_geometry.hpp"
#include "tessera/distributed/tile_plan.hpp"

namespace tessera::detail {

/// The rules for cutting one axis.
struct AxisRules {
  std::int64_t extent = 1;
  std::int64_t halo = 0;  ///< pixels of the window beyond the core, where the image has them
  std::int64_t blend = 0;
  std::int64_t alignment = 1;  ///< cuts lie on this grid
  std::int64_t minimum_core = 1;
  std::int64_t minimum_window = 1;
};

/// An axis cut into tiles.
struct AxisCuts {
  std::vector<TileAxis> tiles;
  std::int64_t largest_window = 0;
  std::int64_t sum_of_windows = 0;
};

/// Cuts an axis into `count` tiles so that the largest window is as small as the grid allows;
/// nullopt if it does not hold so many.
std::optional<AxisCuts> cut_evenly(const AxisRules& rules, std::int64_t count);

/// Cuts an axis into one tile per weight so that the largest product of a window and its weight is
/// as small as the grid allows; nullopt if the axis does not hold so many. weights > 0.
std::optional<AxisCuts> cut_by_weight(const AxisRules& rules,
                                      const std::vector<std::int64_t>& weights);

/// The window of core [begin, end).
inline Interval window_around(const AxisRules& rules, std::int64_t begin, std::int64_t end) {
  Interval window{std::max<std::int64_t>(0, begin - rules.halo),
                  std::min(rules.extent, end + rules.halo)};
  if (window.length() < rules.minimum_window) {
    window.end =
        std::min(rules.extent, window.begin + round_up(rules.minimum_window, rules.alignment));
    if (window.length() < rules.minimum_window) {
      window.begin =
          round_down(std::max<std::int64_t>(0, window.end - rules.minimum_window), rules.alignment);
    }
  }
  return window;
}

/// The last cut, or the extent, up to which a core that begins at `begin` has a window of at most
/// `most` pixels and leaves room for `after` more cores; at most `begin` if there is none.
inline std::int64_t furthest_end(const AxisRules& rules, std::int64_t begin, std::int64_t after,
                                 std::int64_t most) {
  if (after == 0)
    return window_around(rules, begin, rules.extent).length() <= most ? rules.extent : begin;
  std::int64_t low = begin / rules.alignment;  // the window fits
  std::int64_t high =
      round_down(rules.extent - after * rules.minimum_core, rules.alignment) / rules.alignment;
  while (low < high) {
    const std::int64_t middle = (low + high + 1) / 2;
    if (window_around(rules, begin, middle * rules.alignment).length() <= most) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  return low * rules.alignment;
}

/// Ends of one core per weight, each as long as a window of at most `most` / weight pixels allows;
/// empty if they do not reach the extent.
inline std::vector<std::int64_t> longest_cores(const AxisRules& rules,
                                               const std::vector<std::int64_t>& weights,
                                               std::int64_t most) {
  std::vector<std::int64_t> ends;
  std::int64_t begin = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const auto after = static_cast<std::int64_t>(weights.size() - i) - 1;
    const std::int64_t end = furthest_end(rules, begin, after, most / weights[i]);
    if (end - begin < rules.minimum_core) return {};
    ends.push_back(end);
    begin = end;
  }
  return ends;
}

/// Ends of the cores whose largest product of window and weight is least; empty if the axis does
/// not hold them. `most` becomes that product.
inline std::vector<std::int64_t> best_cores(const AxisRules& rules,
                                            const std::vector<std::int64_t>& weights,
                                            std::int64_t& most) {
  std::int64_t low = 1;
  most = rules.extent * *std::max_element(weights.begin(), weights.end());
  if (longest_cores(rules, weights, most).empty()) return {};
  while (low < most) {
    const std::int64_t middle = low + (most - low) / 2;
    if (longest_cores(rules, weights, middle).empty()) {
      low = middle + 1;
    } else {
      most = middle;
    }
  }
  return longest_cores(rules, weights, most);
}

/// Takes what the last core lacks evenly from all of them.
inline std::vector<std::int64_t> spread_slack(const AxisRules& rules,
                                              std::vector<std::int64_t> ends, std::int64_t most) {
  const auto count = static_cast<std::int64_t>(ends.size());
  std::int64_t earliest = ends[ends.size() - 2];  // where the last core could begin
  while (earliest >= rules.alignment &&
         window_around(rules, earliest - rules.alignment, rules.extent).length() <= most) {
    earliest -= rules.alignment;
  }
  const std::int64_t slack = ends[ends.size() - 2] - earliest;
  for (std::int64_t i = 0; i + 1 < count; ++i) {
    std::int64_t& end = ends[static_cast<std::size_t>(i)];
    end = round_down(end - slack * (i + 1) / count, rules.alignment);
  }
  return ends;
}

inline AxisCuts with_ends(const AxisRules& rules, const std::vector<std::int64_t>& ends) {
  AxisCuts cuts;
  std::int64_t begin = 0;
  for (const std::int64_t end : ends) {
    cuts.tiles.push_back({.core = {begin, end}, .window = window_around(rules, begin, end)});
    begin = end;
  }
  set_blend(cuts.tiles, rules.blend);
  for (const TileAxis& tile : cuts.tiles) {
    cuts.largest_window = std::max(cuts.largest_window, tile.window.length());
    cuts.sum_of_windows += tile.window.length();
  }
  return cuts;
}

inline bool has_short_core(const AxisRules& rules, const AxisCuts& cuts) {
  return std::any_of(cuts.tiles.begin(), cuts.tiles.end(),
                     [&](const TileAxis& tile) { return tile.core.length() < rules.minimum_core; });
}

inline std::optional<AxisCuts> cut_evenly(const AxisRules& rules, std::int64_t count) {
  if (count == 1) return with_ends(rules, {rules.extent});
  if (count * rules.minimum_core > rules.extent) return std::nullopt;
  std::int64_t most = 0;
  const std::vector<std::int64_t> ends =
      best_cores(rules, std::vector<std::int64_t>(static_cast<std::size_t>(count), 1), most);
  if (ends.empty()) return std::nullopt;
  AxisCuts even = with_ends(rules, spread_slack(rules, ends, most));
  if (even.largest_window <= most && !has_short_core(rules, even)) return even;
  return with_ends(rules, ends);
}

inline std::optional<AxisCuts> cut_by_weight(const AxisRules& rules,
                                             const std::vector<std::int64_t>& weights) {
  if (static_cast<std::int64_t>(weights.size()) * rules.minimum_core > rules.extent)
    return std::nullopt;
  std::int64_t most = 0;
  const std::vector<std::int64_t> ends = best_cores(rules, weights, most);
  if (ends.empty()) return std::nullopt;
  return with_ends(rules, ends);
}

}  // namespace tessera::detail
