#pragma once

#include <c10/core/TensorOptions.h>

#include <vector>

#include "tessera/core/tensor.hpp"

namespace tessera {

/// Anisotropic, rotated Gaussian blur kernel, shape (1, 1, n, n), normalised to sum 1.
///
/// k(Y, X) ~ exp(-x'^2 / (2 sigma_w^2)) exp(-y'^2 / (2 sigma_h^2)) with x' = X cos t - Y sin t and
/// y' = X sin t + Y cos t, where Y counts rows (down), X columns and t is the angle. The side is
/// n = 2 c + 1 with c = floor(max(sigma) / 0.3 + 1), so the cut lies beyond 3.3 standard
/// deviations. Sigmas are in pixels and > 0, else error::InvalidArgument. Computed in float64, then
/// converted to `options`.
Tensor gaussian_kernel(double sigma_h, double sigma_w, double angle_degrees = 0,
                       const at::TensorOptions& options = at::kDouble);

/// Axis-aligned Gaussian in 1, 2 or 3 dimensions, one sigma per spatial dimension (D, H, W order):
/// shape (1, 1, n, ...), the side n as above.
Tensor gaussian_kernel(const std::vector<double>& sigmas,
                       const at::TensorOptions& options = at::kDouble);

}  // namespace tessera
