// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <memory>

#include "fourier/gridding_kernel.hpp"
#include "fourier/tiled_points.hpp"
#include "tessera/core/tensor.hpp"

namespace tessera::fourier {

/// Sums of exponentials over a centred grid, at any points k_m, by a kernel and a Fourier transform
/// of a grid oversampled twice (Greengard and Lee, SIAM Review 46, 2004; Barnett, Magland and af
/// Klinteberg, SIAM J. Sci. Comput. 41, 2019). The two are adjoints of one another to rounding.
class NonuniformTransform {
 public:
  /// `extents`: 1 to 3. `points`: (M, d) float64, radians per pixel. `by_tensors`: grid by tensor
  /// operations on processors too.
  NonuniformTransform(Extents extents, Tensor points, double tolerance, bool by_tensors);

  /// y_m = sum_n z_n exp(-i k_m . n): complex (planes, extents...) to (planes, M).
  Tensor at_points(const Tensor& z) const;
  /// z_n = sum_m v_m exp(i k_m . n): complex (planes, M) to (planes, extents...).
  Tensor on_grid(const Tensor& v) const;

 private:
  GriddingKernel kernel_for(at::ScalarType type) const;
  bool uses_tiles(const Tensor& tensor) const;
  /// Divides what the kernel's own transform multiplies.
  Tensor corrected(Tensor z, const GriddingKernel& kernel) const;

  Extents extents_;
  Extents grid_;
  Tensor points_;
  double tolerance_;
  std::unique_ptr<const TiledPoints> tiled_;  // for processors, unless by tensors
};

/// A centred axis of n pixels as one of `cells` >= n cells with the centre first, zeros between;
/// and the way back.
Tensor wrapped(const Tensor& z, std::int64_t axis, std::int64_t cells);
Tensor unwrapped(const Tensor& z, std::int64_t axis, std::int64_t pixels);

}  // namespace tessera::fourier
