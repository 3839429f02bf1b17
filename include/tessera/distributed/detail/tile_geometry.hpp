// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tessera/core/tensor.hpp"
#include "tessera/distributed/tile_plan.hpp"

/// What the planners share.
namespace tessera::detail {

inline std::int64_t round_up(std::int64_t value, std::int64_t grid) {
  return (value + grid - 1) / grid * grid;
}
inline std::int64_t round_down(std::int64_t value, std::int64_t grid) {
  return value / grid * grid;
}

/// Throws error::InvalidArgument unless the shape has one to three positive extents.
void check_shape(const Extents& shape, const std::string& who);

/// Throws error::InvalidArgument unless value >= minimum.
void check_at_least(std::int64_t value, std::int64_t minimum, const std::string& what,
                    const std::string& who);

/// Gives every cut the blended region `blend`, or as much of it as fits into half of the cores it
/// separates.
void set_blend(std::vector<TileAxis>& axis, std::int64_t blend);

/// All combinations of the axes' tiles, last axis fastest.
std::vector<Tile> combine(const std::vector<std::vector<TileAxis>>& axes);

/// "512x512"
std::string by(const Extents& extents);

}  // namespace tessera::detail
