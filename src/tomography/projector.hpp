// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "tomography/rays.hpp"

namespace tessera::joseph {

/// A x, (B, C, views, cells...), for float32 or float64 on the host. Parallel over cells; the same
/// bits for any number of threads.
Tensor project(const ScanGeometry& geometry, const Grid& grid, const Tensor& x);

/// The transpose, (B, C, spatial...). Parallel over planes of the image, each of which sees all
/// views in their order; the same bits for any number of threads.
Tensor project_back(const ScanGeometry& geometry, const Grid& grid, const Tensor& v);

/// Both by at::grid_sampler, on any device. In float32 positions are rounded to 1e-7 of the image's
/// width.
Tensor sampled_project(const ScanGeometry& geometry, const Grid& grid, const Tensor& x);
Tensor sampled_project_back(const ScanGeometry& geometry, const Grid& grid, const Tensor& v);

}  // namespace tessera::joseph
