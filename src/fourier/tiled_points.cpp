// SPDX-License-Identifier: BSD-3-Clause
#include "fourier/tiled_points.hpp"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numbers>

#include "fourier/gridding_kernel.hpp"

namespace tessera::fourier {

namespace {

/// Cells along one axis, cut into `count` tiles: one, or an even number.
struct Axis {
  Axis(std::int64_t cells, std::int64_t wanted) : cells(cells) {
    const std::int64_t least = std::max<std::int64_t>(wanted, GriddingKernel::most_width);
    count = std::max<std::int64_t>(1, cells / least / 2 * 2);
    for (std::int64_t tile = 0; tile < count; ++tile) {
      tile_of.resize(static_cast<std::size_t>(begin(tile + 1)), tile);
    }
  }
  std::int64_t begin(std::int64_t tile) const { return tile * cells / count; }

  std::int64_t cells;
  std::int64_t count;
  std::vector<std::int64_t> tile_of;  // of each cell
};

/// A tile with the kernel's margin stays within the cache.
std::int64_t tile_extent(std::size_t axes) {
  return axes == 1 ? 1024 : axes == 2 ? 32 : 16;
}

}  // namespace

double position_on_grid(double radians, std::int64_t cells) {
  const double turns = radians / (2 * std::numbers::pi);
  const double position = (turns - std::floor(turns)) * static_cast<double>(cells);
  return position < static_cast<double>(cells) ? position : 0;
}

TiledPoints::TiledPoints(const Extents& grid, const Tensor& points) : grid_{1, 1, 1} {
  const std::size_t missing = 3 - grid.size();
  std::copy(grid.begin(), grid.end(), grid_.begin() + static_cast<std::ptrdiff_t>(missing));
  std::vector<Axis> axes;
  for (std::size_t a = 0; a < 3; ++a) {
    axes.emplace_back(grid_[a], a < missing ? 1 : tile_extent(grid.size()));
  }

  const std::int64_t m = points.size(0);
  const Tensor contiguous = points.contiguous();
  const double* radians = contiguous.const_data_ptr<double>();
  const auto n = static_cast<std::size_t>(m);
  std::vector<std::array<double, 3>> unsorted(n);
  std::vector<std::uint32_t> tile_of(n);
  at::parallel_for(0, m, 1 << 14, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t i = first; i < last; ++i) {
      std::array<double, 3> position{0, 0, 0};
      std::int64_t tile = 0;
      for (std::size_t a = 0; a < 3; ++a) {
        if (a >= missing) {
          const std::size_t column = a - missing;
          position[a] = position_on_grid(
              radians[static_cast<std::size_t>(i) * grid.size() + column], grid_[a]);
        }
        tile = tile * axes[a].count + axes[a].tile_of[static_cast<std::size_t>(position[a])];
      }
      unsorted[static_cast<std::size_t>(i)] = position;
      tile_of[static_cast<std::size_t>(i)] = static_cast<std::uint32_t>(tile);
    }
  });

  const std::int64_t tile_count = axes[0].count * axes[1].count * axes[2].count;
  std::vector<std::int64_t> starts(static_cast<std::size_t>(tile_count) + 1, 0);
  for (const std::uint32_t tile : tile_of) ++starts[tile + 1];
  for (std::size_t t = 1; t < starts.size(); ++t) starts[t] += starts[t - 1];
  positions_.resize(n);
  original_.resize(n);
  std::vector<std::int64_t> next(starts.begin(), starts.end() - 1);
  for (std::size_t i = 0; i < n; ++i) {
    const auto to = static_cast<std::size_t>(next[tile_of[i]]++);
    positions_[to] = unsorted[i];
    original_[to] = static_cast<std::uint32_t>(i);
  }

  tiles_.resize(8);
  for (std::int64_t t = 0; t < tile_count; ++t) {
    const auto at = static_cast<std::size_t>(t);
    if (starts[at] == starts[at + 1]) continue;
    const Triple index = {t / (axes[1].count * axes[2].count), t / axes[2].count % axes[1].count,
                          t % axes[2].count};
    Tile tile{{}, {}, starts[at], starts[at + 1]};
    std::size_t colour = 0;
    for (std::size_t a = 0; a < 3; ++a) {
      tile.begin[a] = axes[a].begin(index[a]);
      tile.end[a] = axes[a].begin(index[a] + 1);
      colour = 2 * colour + static_cast<std::size_t>(index[a] % 2);
    }
    tiles_[colour].push_back(tile);
  }
  for (auto& of_colour : tiles_) {
    std::stable_sort(of_colour.begin(), of_colour.end(), [](const Tile& a, const Tile& b) {
      return a.last - a.first > b.last - b.first;
    });
  }
}

}  // namespace tessera::fourier
