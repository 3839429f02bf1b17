// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <numeric>
#include <optional>
#include <tuple>

#include "tessera/core/error.hpp"
#include "tessera/core/text.hpp"
#include "tessera/distributed/detail/axis_cuts.hpp"
#include "tessera/distributed/detail/tile_geometry.hpp"
#include "tessera/distributed/tile_plan.hpp"

namespace tessera {

namespace detail {

/// Cuts of one axis, computed once per count.
class Axis {
 public:
  explicit Axis(AxisRules rules) : rules_(rules) {}
  std::int64_t most_tiles() const {
    return std::max<std::int64_t>(1, rules_.extent / rules_.minimum_core);
  }
  const std::optional<AxisCuts>& cuts(std::int64_t count) {
    const auto [entry, is_new] = cuts_.try_emplace(count);
    if (is_new) entry->second = cut_evenly(rules_, count);
    return entry->second;
  }
  const AxisRules& rules() const { return rules_; }

 private:
  AxisRules rules_;
  std::map<std::int64_t, std::optional<AxisCuts>> cuts_;
};

/// A grid of tiles: so many along each axis.
struct Grid {
  Extents counts;
  std::int64_t tiles = 1;
  double largest = 1;  ///< pixels of the largest window
  double total = 1;    ///< pixels of all windows
  double bound = 0;    ///< the busiest rank has at least so many
};

/// The load of the busiest rank when the tiles are shared out as TilePlan::assign does.
inline double heaviest_load(const std::vector<Tile>& tiles, int ranks) {
  std::vector<double> costs;
  for (const Tile& tile : tiles) costs.push_back(static_cast<double>(tile.window_pixels()));
  std::stable_sort(costs.begin(), costs.end(), std::greater<>());
  std::vector<double> load(static_cast<std::size_t>(std::min<std::int64_t>(
                               ranks, static_cast<std::int64_t>(tiles.size()))),
                           0.0);
  const auto lighter = std::greater<>();
  for (const double cost : costs) {  // a heap with the least loaded rank in front
    std::pop_heap(load.begin(), load.end(), lighter);
    load.back() += cost;
    std::push_heap(load.begin(), load.end(), lighter);
  }
  return *std::max_element(load.begin(), load.end());
}

/// Searches grids of at most so many tiles.
class Search {
 public:
  Search(std::vector<Axis>& axes, const EvenTiles& options) : axes_(axes), options_(options) {}

  /// All grids within the limits, those that could be best first.
  std::vector<Grid> grids(std::int64_t most_tiles) {
    found_.clear();
    extend({}, most_tiles);
    for (Grid& grid : found_) {
      grid.bound = std::max(grid.total / options_.ranks, grid.largest);
    }
    std::sort(found_.begin(), found_.end(), [](const Grid& a, const Grid& b) {
      return std::tie(a.bound, a.total, a.counts) < std::tie(b.bound, b.total, b.counts);
    });
    return found_;
  }

  /// Tiles in bands along axis `along`, each cut across by itself along axis `across`: for numbers
  /// of ranks that do not factorise. `tiles` are shared out over `bands`; empty if the image does
  /// not hold them.
  std::vector<Tile> banded(std::size_t along, std::size_t across, std::int64_t bands,
                           std::int64_t tiles) {
    std::vector<std::int64_t> counts;
    Extents widths;  // of a band's windows
    for (std::int64_t band = 0; band < bands; ++band) {
      counts.push_back(tiles / bands + (band < tiles % bands ? 1 : 0));
      const std::optional<AxisCuts>& cuts = axes_[across].cuts(counts.back());
      if (!cuts) return {};
      widths.push_back(cuts->largest_window);
    }
    const std::optional<AxisCuts> rows = cut_by_weight(axes_[along].rules(), widths);
    if (!rows) return {};
    std::vector<Tile> all;
    for (std::size_t band = 0; band < counts.size(); ++band) {
      std::vector<std::vector<TileAxis>> lines;
      for (std::size_t axis = 0; axis < axes_.size(); ++axis)
        lines.push_back(axes_[axis].cuts(1)->tiles);
      lines[along] = {rows->tiles[band]};
      lines[across] = axes_[across].cuts(counts[band])->tiles;
      const std::vector<Tile> more = combine(lines);
      all.insert(all.end(), more.begin(), more.end());
    }
    return all;
  }

  std::vector<Tile> tiles_of(const Grid& grid) {
    std::vector<std::vector<TileAxis>> lines;
    for (std::size_t axis = 0; axis < axes_.size(); ++axis)
      lines.push_back(axes_[axis].cuts(grid.counts[axis])->tiles);
    return combine(lines);
  }

 private:
  void extend(const Grid& grid, std::int64_t most_tiles) {
    const std::size_t axis = grid.counts.size();
    if (axis == axes_.size()) {
      const bool too_large = options_.max_window_pixels > 0 &&
                             grid.largest > static_cast<double>(options_.max_window_pixels);
      if (!too_large && grid.tiles >= options_.minimum_tiles) found_.push_back(grid);
      return;
    }
    for (std::int64_t count = 1;
         count * grid.tiles <= most_tiles && count <= axes_[axis].most_tiles(); ++count) {
      const std::optional<AxisCuts>& cuts = axes_[axis].cuts(count);
      if (!cuts) break;
      Grid longer = grid;
      longer.counts.push_back(count);
      longer.tiles *= count;
      longer.largest *= static_cast<double>(cuts->largest_window);
      longer.total *= static_cast<double>(cuts->sum_of_windows);
      extend(longer, most_tiles);
    }
  }

  std::vector<Axis>& axes_;
  const EvenTiles& options_;
  std::vector<Grid> found_;
};

/// The best tiles offered so far: least load of the busiest rank, then least work in all, then the
/// first.
class Best {
 public:
  explicit Best(const EvenTiles& options) : options_(options) {}

  bool can_gain(double bound) const { return tiles_.empty() || bound <= load_; }

  void offer(std::vector<Tile> tiles) {
    if (tiles.empty()) return;
    double total = 0;
    for (const Tile& tile : tiles) {
      total += static_cast<double>(tile.window_pixels());
      if (options_.max_window_pixels > 0 && tile.window_pixels() > options_.max_window_pixels)
        return;
    }
    const double load = heaviest_load(tiles, options_.ranks);
    if (!tiles_.empty() && std::tie(load, total) >= std::tie(load_, total_)) return;
    tiles_ = std::move(tiles);
    load_ = load;
    total_ = total;
  }

  std::vector<Tile> take() { return std::move(tiles_); }

 private:
  const EvenTiles& options_;
  std::vector<Tile> tiles_;
  double load_ = 0;
  double total_ = 0;
};

inline void check_even_tiles(const Extents& shape, const EvenTiles& options,
                             const std::string& who) {
  check_shape(shape, who);
  check_at_least(options.ranks, 1, "ranks", who);
  check_at_least(options.alignment, 1, "alignment", who);
  check_at_least(options.max_window_pixels, 0, "max_window_pixels", who);
  check_at_least(options.minimum_tiles, 1, "minimum_tiles", who);
  check_at_least(options.minimum_window, 1, "minimum_window", who);
}

[[noreturn]] inline void refuse(std::vector<Axis>& axes, const EvenTiles& options,
                                const Extents& shape, const std::string& who) {
  Extents smallest;
  std::int64_t most = 1;
  std::int64_t pixels = 1;
  for (Axis& axis : axes) {
    const AxisRules& rules = axis.rules();
    most *= axis.most_tiles();
    smallest.push_back(std::min(
        rules.extent, std::max(rules.minimum_core + 2 * rules.halo, rules.minimum_window)));
    pixels *= smallest.back();
  }
  if (options.minimum_tiles > most) {
    throw error::InvalidArgument(formatted(
        "{}: an image of {} cannot be cut into {} tiles, with alignment {} and blend {}; ask for "
        "at most {}",
        who, by(shape), options.minimum_tiles, options.alignment, to_string(options.blend), most));
  }
  throw error::InvalidArgument(formatted(
      "{}: no window of an image of {} can be as small as {} pixels: the smallest useful one, with "
      "context {}, blend {} and alignment {}, is {} ({} pixels); raise the limit or lower the "
      "context",
      who, by(shape), options.max_window_pixels, to_string(options.context),
      to_string(options.blend), options.alignment, by(smallest), pixels));
}

}  // namespace detail

inline TilePlan TilePlan::even(Extents shape, const EvenTiles& options) {
  const std::string who = "TilePlan.even";
  detail::check_even_tiles(shape, options, who);
  const Extents context = options.context.along(shape.size(), 0, "context", who);
  const Extents blend = options.blend.along(shape.size(), 0, "blend", who);
  std::vector<detail::Axis> axes;
  std::int64_t most_possible = 1;
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    axes.emplace_back(detail::AxisRules{
        .extent = shape[axis],
        .halo = detail::round_up(context[axis] + blend[axis] / 2, options.alignment),
        .blend = blend[axis],
        .alignment = options.alignment,
        .minimum_core = std::max({options.alignment, blend[axis], std::int64_t{1}}),
        .minimum_window = options.minimum_window});
    most_possible *= axes.back().most_tiles();
  }

  detail::Search search(axes, options);
  std::vector<detail::Grid> grids;
  constexpr std::int64_t most_reasonable = std::int64_t{1} << 20;
  std::int64_t most_tiles = 4 * std::max<std::int64_t>(options.ranks, options.minimum_tiles);
  for (;;) {
    grids = search.grids(most_tiles);
    if (!grids.empty()) break;
    if (most_tiles >= std::min(most_possible, most_reasonable)) refuse(axes, options, shape, who);
    most_tiles *= 2;
  }

  detail::Best best(options);
  for (const detail::Grid& grid : grids) {
    if (!best.can_gain(grid.bound)) break;
    best.offer(search.tiles_of(grid));
  }
  const std::int64_t tiles = std::max<std::int64_t>(options.ranks, options.minimum_tiles);
  for (std::size_t along = 0; along < shape.size(); ++along) {
    for (std::size_t across = 0; across < shape.size(); ++across) {
      for (std::int64_t bands = 2; along != across && bands * bands <= 4 * tiles && bands < tiles;
           ++bands) {
        best.offer(search.banded(along, across, bands, tiles));
      }
    }
  }
  return {std::move(shape), best.take(), Border::clamp};
}

}  // namespace tessera
