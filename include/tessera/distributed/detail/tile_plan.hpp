// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <utility>

#include "tessera/core/error.hpp"
#include "tessera/core/text.hpp"
#include "tessera/distributed/detail/tile_geometry.hpp"
#include "tessera/distributed/tile_plan.hpp"

namespace tessera {

namespace detail {

inline void check_shape(const Extents& shape, const std::string& who) {
  const bool positive =
      std::all_of(shape.begin(), shape.end(), [](std::int64_t n) { return n > 0; });
  if (shape.empty() || shape.size() > 3 || !positive) {
    throw error::InvalidArgument(formatted(
        "{}: the shape is [{}], expected one to three positive extents", who, joined(shape, ", ")));
  }
}

inline void check_at_least(std::int64_t value, std::int64_t minimum, const std::string& what,
                           const std::string& who) {
  if (value < minimum) {
    throw error::InvalidArgument(
        formatted("{}: {} is {}, expected at least {}", who, what, value, minimum));
  }
}

inline void set_blend(std::vector<TileAxis>& axis, std::int64_t blend) {
  for (std::size_t i = 0; i + 1 < axis.size(); ++i) {
    const std::int64_t half =
        std::min({blend / 2, axis[i].core.length() / 2, axis[i + 1].core.length() / 2});
    axis[i].blend_after = half;
    axis[i + 1].blend_before = half;
  }
}

inline std::vector<Tile> combine(const std::vector<std::vector<TileAxis>>& axes) {
  std::vector<Tile> tiles(1);
  for (const std::vector<TileAxis>& axis : axes) {
    std::vector<Tile> longer;
    longer.reserve(tiles.size() * axis.size());
    for (const Tile& tile : tiles) {
      for (const TileAxis& part : axis) {
        longer.push_back(tile);
        longer.back().axes.push_back(part);
      }
    }
    tiles = std::move(longer);
  }
  return tiles;
}

inline std::string by(const Extents& extents) {
  return formatted("{}", joined(extents, "x"));
}

/// The patch of every axis. Throws unless it fits the shape.
inline Extents patch_along(const PerAxis& given, const Extents& shape, const std::string& who) {
  Extents patch = given.along(shape.size(), 1, "the patch", who);
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    if (patch[axis] > shape[axis]) {
      throw error::InvalidArgument(
          formatted("{}: the patch of {} pixels is larger than the image, {} ({} pixels along "
                    "axis {}); use a patch of at "
                    "most {}, or even tiles, which fit any image",
                    who, patch[axis], by(shape), shape[axis], axis, shape[axis]));
    }
  }
  return patch;
}

/// The rules for cores of fixed size along one axis.
struct FixedRules {
  std::int64_t extent = 1;
  std::int64_t patch = 1;
  std::int64_t overlap = 0;
  std::int64_t blend = 0;
  std::int64_t alignment = 1;
};

inline void check_blend_fits(const FixedRules& rules, const std::string& who) {
  if (rules.blend <= 2 * rules.overlap) return;
  throw error::InvalidArgument(formatted(
      "{}: a blended region of {} pixels reaches {} pixels out of a core, further "
      "than the overlap of {}; use "
      "blend <= {} or overlap >= {}",
      who, rules.blend, rules.blend / 2, rules.overlap, 2 * rules.overlap, (rules.blend + 1) / 2));
}

inline std::vector<TileAxis> fixed_axis(const FixedRules& rules) {
  const std::int64_t length = std::min(rules.extent, rules.patch + 2 * rules.overlap);
  std::vector<TileAxis> axis;
  for (std::int64_t begin = 0; begin < rules.extent; begin += rules.patch) {
    const Interval core{begin, std::min(rules.extent, begin + rules.patch)};
    const std::int64_t wanted =
        std::min(std::max<std::int64_t>(0, begin - rules.overlap), rules.extent - length);
    const std::int64_t first = round_down(wanted, rules.alignment);
    const std::int64_t last = std::max(std::min(rules.extent, first + length),
                                       std::min(rules.extent, core.end + rules.overlap));
    axis.push_back({.core = core, .window = {first, last}});
  }
  set_blend(axis, rules.blend);
  return axis;
}

inline std::vector<TileAxis> deepinv_axis(std::int64_t extent, std::int64_t patch,
                                          std::int64_t overlap) {
  std::vector<TileAxis> axis;
  std::int64_t covered = 0;
  for (std::int64_t start = 0; covered < extent; start += patch) {
    start = std::min(start, extent - patch);
    const Interval core{covered, start + patch};
    axis.push_back({.core = core, .window = {start - overlap, start + patch + overlap}});
    covered = core.end;
  }
  return axis;
}

}  // namespace detail

inline std::int64_t Tile::window_pixels() const {
  std::int64_t pixels = 1;
  for (const TileAxis& axis : axes) pixels *= axis.window.length();
  return pixels;
}

inline std::int64_t Tile::support_pixels() const {
  std::int64_t pixels = 1;
  for (const TileAxis& axis : axes) pixels *= axis.support().length();
  return pixels;
}

inline std::vector<std::int64_t> Tile::window_shape() const {
  Extents extents;
  for (const TileAxis& axis : axes) extents.push_back(axis.window.length());
  return extents;
}

inline TilePlan::TilePlan(Extents shape, std::vector<Tile> tiles, Border border)
    : shape_(std::move(shape)), tiles_(std::move(tiles)), border_(border) {}

inline TilePlan TilePlan::fixed(Extents shape, const FixedTiles& options) {
  const std::string who = "TilePlan.fixed";
  detail::check_shape(shape, who);
  const std::size_t dimensions = shape.size();
  const Extents patch = detail::patch_along(options.patch, shape, who);
  const Extents overlap = options.overlap.along(dimensions, 0, "overlap", who);
  const Extents blend = options.blend.along(dimensions, 0, "blend", who);
  detail::check_at_least(options.alignment, 1, "alignment", who);
  std::vector<std::vector<TileAxis>> axes;
  for (std::size_t axis = 0; axis < dimensions; ++axis) {
    const detail::FixedRules rules{.extent = shape[axis],
                                   .patch = patch[axis],
                                   .overlap = overlap[axis],
                                   .blend = blend[axis],
                                   .alignment = options.alignment};
    detail::check_blend_fits(rules, who);
    axes.push_back(detail::fixed_axis(rules));
  }
  return {std::move(shape), detail::combine(axes), Border::clamp};
}

inline TilePlan TilePlan::deepinv(Extents shape, const PerAxis& patch, const PerAxis& overlap) {
  const std::string who = "TilePlan.deepinv";
  detail::check_shape(shape, who);
  const Extents cores = detail::patch_along(patch, shape, who);
  const Extents halos = overlap.along(shape.size(), 0, "overlap", who);
  std::vector<std::vector<TileAxis>> axes;
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    if (halos[axis] >= shape[axis]) {
      throw error::InvalidArgument(
          formatted("{}: an overlap of {} pixels cannot be filled by reflection along axis {}, "
                    "which has {}; use an overlap "
                    "of at most {}",
                    who, halos[axis], axis, shape[axis], shape[axis] - 1));
    }
    axes.push_back(detail::deepinv_axis(shape[axis], cores[axis], halos[axis]));
  }
  return {std::move(shape), detail::combine(axes), Border::reflect};
}

inline bool TilePlan::is_blended() const {
  return std::any_of(tiles_.begin(), tiles_.end(), [](const Tile& tile) {
    return std::any_of(tile.axes.begin(), tile.axes.end(), [](const TileAxis& axis) {
      return axis.blend_before > 0 || axis.blend_after > 0;
    });
  });
}

inline Partition TilePlan::assign(int ranks) const {
  std::vector<double> work;
  work.reserve(tiles_.size());
  for (const Tile& tile : tiles_) work.push_back(static_cast<double>(tile.window_pixels()));
  return Partition::by_cost(work, ranks);
}

}  // namespace tessera
