// SPDX-License-Identifier: BSD-3-Clause
#include "fourier/gridding.hpp"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <utility>

namespace tessera::fourier {

namespace {

using Tile = TiledPoints::Tile;
using Triple = TiledPoints::Triple;

/// Calls work(tile, scratch) for each tile, the next one by whichever thread is free.
template <typename T, typename Work>
void for_each_tile(const std::vector<Tile>& tiles, const Work& work) {
  std::atomic<std::size_t> next{0};
  at::parallel_for(0, at::get_num_threads(), 1, [&](std::int64_t, std::int64_t) {
    std::vector<T> scratch;
    for (std::size_t i = next++; i < tiles.size(); i = next++) work(tiles[i], scratch);
  });
}

/// Kernels of width W at points of a tile, on a copy of the tile's cells with the kernel's margin
/// around: cells of re and im, last axis fastest.
template <typename T, int W>
class Gridder {
  static constexpr int taps = (W + 1) / 2 * 2;  // the last has the weight 0 if W is odd
  static constexpr int lanes = 2 * taps;        // re and im
  static constexpr std::int64_t left = W / 2;   // cells before a point's own that it reaches

 public:
  Gridder(const TiledPoints& points, const GriddingKernel& kernel)
      : points_(points), coefficients_(static_cast<std::size_t>(degree + 1) * taps, 0) {
    for (std::size_t row = 0; row <= degree; ++row) {
      for (std::size_t j = 0; j < W; ++j) {
        coefficients_[row * taps + j] = static_cast<T>(kernel.coefficients()[row * W + j]);
      }
    }
    for (std::size_t a = 0; a < 3; ++a) is_there_[a] = points.grid()[a] > 1;
  }

  void interpolate(const T* grid, T* values) const {
    for (const auto& tiles : points_.tiles()) {
      for_each_tile<T>(tiles, [&](const Tile& tile, std::vector<T>& scratch) {
        const Triple extents = with_margin(tile, scratch);
        for_each_row(
            tile, extents,
            [&](std::int64_t row, std::int64_t cell, std::int64_t from, std::int64_t cells) {
              std::copy_n(grid + 2 * cell, 2 * cells, scratch.data() + 2 * (row + from));
            });
        for (std::int64_t i = tile.first; i < tile.last; ++i) {
          const Footprint at = footprint(tile, extents, points_.position(i));
          T sums[lanes] = {};
          for (int z = 0; z < at.rows[0]; ++z) {
            for (int y = 0; y < at.rows[1]; ++y) {
              const T weight = at.weights[0][z] * at.weights[1][y];
              const T* row = scratch.data() + 2 * (at.start + (z * extents[1] + y) * extents[2]);
              for (int lane = 0; lane < lanes; ++lane) sums[lane] += weight * row[lane];
            }
          }
          T re = 0;
          T im = 0;
          for (int tap = 0; tap < taps; ++tap) {
            re += at.weights[2][tap] * sums[2 * tap];
            im += at.weights[2][tap] * sums[2 * tap + 1];
          }
          T* value = values + 2 * points_.original(i);
          value[0] = re;
          value[1] = im;
        }
      });
    }
  }

  void spread(const T* values, T* grid) const {
    for (const auto& tiles : points_.tiles()) {  // colour by colour
      for_each_tile<T>(tiles, [&](const Tile& tile, std::vector<T>& scratch) {
        const Triple extents = with_margin(tile, scratch);
        for (std::int64_t i = tile.first; i < tile.last; ++i) {
          const Footprint at = footprint(tile, extents, points_.position(i));
          const T* value = values + 2 * points_.original(i);
          T terms[lanes];
          for (int tap = 0; tap < taps; ++tap) {
            terms[2 * tap] = at.weights[2][tap] * value[0];
            terms[2 * tap + 1] = at.weights[2][tap] * value[1];
          }
          for (int z = 0; z < at.rows[0]; ++z) {
            for (int y = 0; y < at.rows[1]; ++y) {
              const T weight = at.weights[0][z] * at.weights[1][y];
              T* row = scratch.data() + 2 * (at.start + (z * extents[1] + y) * extents[2]);
              for (int lane = 0; lane < lanes; ++lane) row[lane] += weight * terms[lane];
            }
          }
        }
        for_each_row(
            tile, extents,
            [&](std::int64_t row, std::int64_t cell, std::int64_t from, std::int64_t cells) {
              const T* source = scratch.data() + 2 * (row + from);
              T* target = grid + 2 * cell;
              for (std::int64_t k = 0; k < 2 * cells; ++k) target[k] += source[k];
            });
      });
    }
  }

 private:
  static constexpr std::size_t degree = static_cast<std::size_t>(GriddingKernel::degree(W));

  struct Footprint {
    std::int64_t start;  // its first cell in the copy
    int rows[2];         // along the first two axes: W, or 1 where there is no axis
    T weights[3][taps];
  };

  Footprint footprint(const Tile& tile, const Triple& extents,
                      const std::array<double, 3>& position) const {
    Footprint result;
    result.start = 0;
    for (std::size_t a = 0; a < 3; ++a) {
      if (a < 2) result.rows[a] = is_there_[a] ? W : 1;
      T* weights = result.weights[a];
      if (!is_there_[a]) {
        weights[0] = 1;
        continue;
      }
      const double begin = position[a] - 0.5 * W;
      const double first = std::ceil(begin);
      const T u = static_cast<T>(2 * (first - begin) - 1);
      for (int tap = 0; tap < taps; ++tap)
        weights[tap] = coefficients_[static_cast<std::size_t>(tap)];
      for (std::size_t row = 1; row <= degree; ++row) {
        const T* coefficients = coefficients_.data() + row * taps;
        for (int tap = 0; tap < taps; ++tap) {
          weights[tap] = weights[tap] * u + coefficients[tap];
        }
      }
      result.start =
          result.start * extents[a] + static_cast<std::int64_t>(first) - tile.begin[a] + left;
    }
    return result;
  }

  /// Zeros for the tile's cells and those around, and one cell more for the last weight, 0.
  Triple with_margin(const Tile& tile, std::vector<T>& scratch) const {
    Triple extents;
    for (std::size_t a = 0; a < 3; ++a) {
      extents[a] = tile.end[a] - tile.begin[a] + (is_there_[a] ? W : 0);
    }
    scratch.assign(static_cast<std::size_t>(2 * (extents[0] * extents[1] * extents[2] + 1)), T(0));
    return extents;
  }

  /// Calls visit(first cell of the copy's row, cell of the grid, where in the row, how many cells)
  /// for each run of cells of the copy that are neighbours on the periodic grid too.
  template <typename Visit>
  void for_each_row(const Tile& tile, const Triple& extents, const Visit& visit) const {
    const Triple& grid = points_.grid();
    Triple origin;
    for (std::size_t a = 0; a < 3; ++a) {
      origin[a] = is_there_[a] ? (tile.begin[a] - left + grid[a]) % grid[a] : 0;
    }
    for (std::int64_t z = 0; z < extents[0]; ++z) {
      for (std::int64_t y = 0; y < extents[1]; ++y) {
        const std::int64_t row = (z * extents[1] + y) * extents[2];
        const std::int64_t line =
            ((origin[0] + z) % grid[0] * grid[1] + (origin[1] + y) % grid[1]) * grid[2];
        for (std::int64_t from = 0, cell = origin[2]; from < extents[2]; cell = 0) {
          const std::int64_t cells = std::min(extents[2] - from, grid[2] - cell);
          visit(row, line + cell, from, cells);
          from += cells;
        }
      }
    }
  }

  const TiledPoints& points_;
  std::vector<T> coefficients_;  // (degree + 1, taps)
  std::array<bool, 3> is_there_;
};

/// Calls use(gridder) with the one of this width.
template <typename T, typename Use, int... Offsets>
void with_width(const TiledPoints& points, const GriddingKernel& kernel, const Use& use,
                std::integer_sequence<int, Offsets...>) {
  const auto try_one = [&]<int W>(std::integral_constant<int, W>) {
    if (kernel.width() == W) use(Gridder<T, W>(points, kernel));
  };
  (try_one(std::integral_constant<int, GriddingKernel::least_width + Offsets>{}), ...);
}

template <typename T, typename Use>
void with_gridder(const TiledPoints& points, const GriddingKernel& kernel, const Use& use) {
  constexpr int widths = GriddingKernel::most_width - GriddingKernel::least_width + 1;
  with_width<T>(points, kernel, use, std::make_integer_sequence<int, widths>{});
}

template <typename T>
T* reals(const Tensor& tensor) {
  return reinterpret_cast<T*>(tensor.data_ptr<c10::complex<T>>());
}

}  // namespace

Tensor interpolated(const Tensor& grid, const TiledPoints& points, const GriddingKernel& kernel) {
  Tensor values = at::empty({points.count()}, grid.options());
  const auto run = [&]<typename T>(T) {
    with_gridder<T>(points, kernel, [&](const auto& gridder) {
      gridder.interpolate(reals<T>(grid), reals<T>(values));
    });
  };
  grid.scalar_type() == at::kComplexDouble ? run(double{}) : run(float{});
  return values;
}

Tensor spread(const Tensor& values, const TiledPoints& points, const GriddingKernel& kernel) {
  Tensor grid = at::zeros(points.grid(), values.options());
  const auto run = [&]<typename T>(T) {
    with_gridder<T>(points, kernel,
                    [&](const auto& gridder) { gridder.spread(reals<T>(values), reals<T>(grid)); });
  };
  values.scalar_type() == at::kComplexDouble ? run(double{}) : run(float{});
  return grid;
}

}  // namespace tessera::fourier
