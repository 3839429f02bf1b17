// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <limits>

#include "tessera/core/error.hpp"
#include "tessera/core/text.hpp"
#include "tessera/distributed/detail/tile_geometry.hpp"
#include "tessera/distributed/tiled_denoiser.hpp"

/// The part of TiledDenoiser that plans and reports.
namespace tessera {

namespace detail {

/// Fewest pixels of context between a tile's support and the inside end of its window.
inline std::int64_t least_context(const TilePlan& plan) {
  std::int64_t least = std::numeric_limits<std::int64_t>::max();
  for (const Tile& tile : plan.tiles()) {
    for (std::size_t axis = 0; axis < tile.axes.size(); ++axis) {
      const TileAxis& part = tile.axes[axis];
      if (part.window.begin > 0) least = std::min(least, part.support().begin - part.window.begin);
      if (part.window.end < plan.shape()[axis])
        least = std::min(least, part.window.end - part.support().end);
    }
  }
  return least;
}

}  // namespace detail

inline TilePlan TiledDenoiser::plan(at::IntArrayRef image_shape,
                                    std::int64_t bytes_per_element) const {
  if (image_shape.size() < 3 || image_shape.size() > 5) {
    throw error::ShapeMismatch(formatted("{}.plan: the shape is {}, expected (B, C, spatial...)",
                                         name(), to_string(image_shape)));
  }
  return rule_ ? rule_(image_shape.slice(2).vec())
               : plan_by_options(image_shape, bytes_per_element);
}

inline double TiledDenoiser::working_elements_per_pixel(at::IntArrayRef image_shape) const {
  double pixels = 1;
  for (const std::int64_t extent : image_shape.slice(2)) pixels *= static_cast<double>(extent);
  return denoiser_->memory_estimate(image_shape).value_or(0) /
         (pixels * static_cast<double>(image_shape[0]));
}

inline TilePlan TiledDenoiser::plan_by_options(at::IntArrayRef image_shape,
                                               std::int64_t bytes_per_element) const {
  const Extents shape = image_shape.slice(2).vec();
  switch (options_.tiling) {
    case Tiling::fixed:
      return TilePlan::fixed(
          shape, {.patch = options_.patch,
                  .overlap = options_.overlap,
                  .blend = options_.window == BlendWindow::constant ? 0 : options_.blend,
                  .alignment = denoiser_->alignment()});
    case Tiling::deepinv:
      return TilePlan::deepinv(shape, options_.patch, options_.overlap);
    case Tiling::even:
    case Tiling::exact:
      break;
  }
  const bool exact = options_.tiling == Tiling::exact;
  EvenTiles even{.ranks = options_.ranks > 0 ? options_.ranks : communicator_->size(),
                 .context = exact ? PerAxis(*denoiser_->reach()) : options_.context,
                 .blend = exact || options_.window == BlendWindow::constant ? 0 : options_.blend,
                 .alignment = denoiser_->alignment(),
                 .minimum_tiles = options_.minimum_tiles,
                 .minimum_window = denoiser_->minimum_extent()};
  if (options_.memory_limit_bytes > 0) {
    const double elements =
        working_elements_per_pixel(image_shape) * static_cast<double>(image_shape[0]);
    if (!(elements > 0)) {
      throw error::InvalidArgument(
          formatted("{}: a memory limit needs a denoiser whose memory is known, and {} gives no "
                    "estimate; give a plan with "
                    "EvenTiles::max_window_pixels instead",
                    name(), denoiser_->name()));
    }
    even.max_window_pixels = std::max<std::int64_t>(
        1, static_cast<std::int64_t>(options_.memory_limit_bytes /
                                     (elements * static_cast<double>(bytes_per_element))));
  }
  // An image that stays short along one axis may be treated otherwise: no cut reproduces that.
  const Extents extended = denoiser_->extended_extents(shape);
  const bool is_short = std::any_of(extended.begin(), extended.end(),
                                    [&](std::int64_t n) { return n < even.minimum_window; });
  if (exact && is_short) {
    even.ranks = 1;
    even.minimum_tiles = 1;
  }
  return TilePlan::even(shape, even);
}

// The window ends where the extended image ends, or on the denoiser's grid.
inline TiledDenoiser::Window TiledDenoiser::window_of(const TilePlan& plan,
                                                      const Tile& tile) const {
  Window window;
  const bool clamps = plan.border() == Border::clamp;
  const std::int64_t grid = denoiser_->alignment();
  const std::int64_t minimum = detail::round_up(denoiser_->minimum_extent(), grid);
  const Extents extended = denoiser_->extended_extents(plan.shape());
  window.is_extended = clamps;
  for (std::size_t axis = 0; axis < tile.axes.size(); ++axis) {
    Interval along = tile.axes[axis].window;
    if (clamps) {
      const std::int64_t length = std::max(detail::round_up(along.length(), grid), minimum);
      along.end = std::min(plan.shape()[axis], along.begin + length);
      if (along.end == plan.shape()[axis]) along.end = extended[axis];
    }
    window.is_extended =
        window.is_extended && along.length() % grid == 0 && along.length() >= minimum;
    window.box.axes.push_back(along);
  }
  return window;
}

inline bool TiledDenoiser::is_exact(const TilePlan& plan) const {
  const Extents& shape = plan.shape();
  const bool whole = std::all_of(plan.tiles().begin(), plan.tiles().end(),
                                 [&](const Tile& tile) { return tile.window_shape() == shape; });
  if (plan.border() == Border::clamp && whole) return true;
  if (plan.border() != Border::clamp || !denoiser_->reach() ||
      detail::least_context(plan) < *denoiser_->reach())
    return false;
  return std::all_of(plan.tiles().begin(), plan.tiles().end(), [&](const Tile& tile) {
    const Window window = window_of(plan, tile);
    return std::all_of(window.box.axes.begin(), window.box.axes.end(), [&](const Interval& along) {
      return along.begin % denoiser_->alignment() == 0 &&
             along.length() >= denoiser_->minimum_extent();
    });
  });
}

inline std::optional<double> TiledDenoiser::memory_estimate(at::IntArrayRef shape) const {
  double largest = 0;
  const TilePlan tiles = plan(shape);
  for (const Tile& tile : tiles.tiles()) {
    Extents window = tile.window_shape();
    window.insert(window.begin(), {shape[0], shape[1]});
    const std::optional<double> elements = denoiser_->memory_estimate(window);
    if (!elements) return std::nullopt;
    largest = std::max(largest, *elements);
  }
  double image = 1;
  for (const std::int64_t extent : shape) image *= static_cast<double>(extent);
  return largest * static_cast<double>(std::max<std::int64_t>(1, options_.max_batch_size)) +
         2 * image;
}

inline std::vector<std::string> TiledDenoiser::warnings(at::IntArrayRef image_shape) const {
  const TilePlan tiles = plan(image_shape);
  std::vector<std::string> lines;
  if (!is_exact(tiles)) {
    if (tiles.border() == Border::reflect) {
      lines.emplace_back(
          "borders are filled by reflection: the result differs from untiled there with any "
          "overlap");
    }
    if (!denoiser_->reach()) {
      lines.push_back(formatted(
          "a pixel of {} may depend on the whole image: the result differs from untiled near "
          "the cuts",
          denoiser_->name()));
    } else if (tiles.tiles().size() > 1) {
      lines.push_back(formatted(
          "the context of {} pixels is less than the {} a pixel of {} depends on: the result is "
          "approximate near the cuts",
          detail::least_context(tiles), *denoiser_->reach(), denoiser_->name()));
    }
  }
  const auto count = static_cast<std::int64_t>(tiles.tiles().size());
  if (count < communicator_->size()) {
    lines.push_back(formatted("{} of {} ranks have no tile", communicator_->size() - count,
                              communicator_->size()));
  }
  return lines;
}

inline std::string TiledDenoiser::summary(at::IntArrayRef image_shape,
                                          std::int64_t bytes_per_element) const {
  std::string text =
      plan(image_shape, bytes_per_element)
          .summary({.ranks = communicator_->size(),
                    .batch = image_shape[0],
                    .channels = image_shape[1],
                    .bytes_per_element = bytes_per_element,
                    .working_elements_per_pixel = working_elements_per_pixel(image_shape),
                    .tiles_per_batch = std::max<std::int64_t>(1, options_.max_batch_size)});
  for (const std::string& warning : warnings(image_shape)) text += "note: " + warning + "\n";
  return text;
}

}  // namespace tessera
