// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "tessera/core/tensor.hpp"

namespace tessera::fourier {

/// Points on a periodic grid of 1 to 3 axes, sorted by tiles of the grid, so that a thread works on
/// a part of the grid that fits into its cache. Missing axes come first and have one cell.
///
/// Tiles are as wide as the widest kernel at least, and have colours: what kernels of two points in
/// different tiles of one colour cover does not overlap. Threads that add to tiles of one colour at
/// a time do not meet, and each cell's terms are added in one order for any number of threads.
class TiledPoints {
 public:
  using Triple = std::array<std::int64_t, 3>;
  struct Tile {
    Triple begin;  // cells [begin, end) of each axis
    Triple end;
    std::int64_t first;  // points [first, last) of the sorted ones
    std::int64_t last;
  };

  /// `grid`: cells along each axis, 2 GriddingKernel::most_width at least. `points`: (M, axes)
  /// float64 on the host, in radians per cell of the image: 2 pi is the whole grid.
  TiledPoints(const Extents& grid, const Tensor& points);

  const Triple& grid() const { return grid_; }
  std::int64_t count() const { return static_cast<std::int64_t>(original_.size()); }
  /// Tiles that hold points, by colour, the fullest first.
  const std::vector<std::vector<Tile>>& tiles() const { return tiles_; }
  /// The position of sorted point `index` on the grid, in cells: in [0, grid).
  const std::array<double, 3>& position(std::int64_t index) const {
    return positions_[static_cast<std::size_t>(index)];
  }
  /// Its index before sorting.
  std::int64_t original(std::int64_t index) const {
    return original_[static_cast<std::size_t>(index)];
  }

 private:
  Triple grid_;
  std::vector<std::array<double, 3>> positions_;
  std::vector<std::uint32_t> original_;
  std::vector<std::vector<Tile>> tiles_;
};

/// Where on [0, cells) a point lies that `radians` turn, 2 pi being all of it.
double position_on_grid(double radians, std::int64_t cells);

}  // namespace tessera::fourier
