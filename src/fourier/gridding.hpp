// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "fourier/gridding_kernel.hpp"
#include "fourier/tiled_points.hpp"
#include "tessera/core/tensor.hpp"

/// Between points and a periodic grid, by a kernel: the two are transposes of one another. On
/// processors, complex64 and complex128; the same bits for any number of threads.
namespace tessera::fourier {

/// The values (M) at the points of a contiguous `grid` of the points' extents.
Tensor interpolated(const Tensor& grid, const TiledPoints& points, const GriddingKernel& kernel);

/// The grid (three axes) onto which contiguous `values` (M) at the points are spread.
Tensor spread(const Tensor& values, const TiledPoints& points, const GriddingKernel& kernel);

/// The same by tensor operations, on any device: `points` (M, axes) float64 in radians per pixel,
/// `grid` (planes, grid extents...), `values` (planes, M). Terms of a cell are added in an order
/// that depends on the device.
Tensor interpolated(const Tensor& grid, const Tensor& points, const GriddingKernel& kernel);
Tensor spread(const Tensor& values, const Tensor& points, const Extents& grid,
              const GriddingKernel& kernel);

}  // namespace tessera::fourier
