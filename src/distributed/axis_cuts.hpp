#pragma once

#include <cstdint>
#include <optional>
#include <vector>

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

}  // namespace tessera::detail
