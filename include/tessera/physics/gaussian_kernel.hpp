// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/ops/arange.h>
#include <ATen/ops/exp.h>
#include <ATen/ops/ones.h>
#include <c10/core/TensorOptions.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "tessera/core/error.hpp"
#include "tessera/core/tensor.hpp"
#include "tessera/core/text.hpp"

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

namespace detail {

inline std::int64_t half_side(const std::vector<double>& sigmas) {
  for (const double sigma : sigmas) {
    if (!(sigma > 0) || !std::isfinite(sigma)) {
      throw error::InvalidArgument(
          formatted("gaussian_kernel: sigma must be positive and finite, got {}", sigma));
    }
  }
  return static_cast<std::int64_t>(*std::max_element(sigmas.begin(), sigmas.end()) / 0.3 + 1);
}

inline Tensor offsets(std::int64_t half) {
  return at::arange(-half, half + 1, at::kDouble);
}

}  // namespace detail

inline Tensor gaussian_kernel(double sigma_h, double sigma_w, double angle_degrees,
                              const at::TensorOptions& options) {
  if (!std::isfinite(angle_degrees)) {
    throw error::InvalidArgument(
        formatted("gaussian_kernel: the angle must be finite, got {}", angle_degrees));
  }
  const std::int64_t half = detail::half_side({sigma_h, sigma_w});
  const double angle = angle_degrees * std::numbers::pi / 180;
  const Tensor row = detail::offsets(half).unsqueeze(1);
  const Tensor column = detail::offsets(half).unsqueeze(0);
  const Tensor across = column * std::cos(angle) - row * std::sin(angle);
  const Tensor along = column * std::sin(angle) + row * std::cos(angle);
  const Tensor kernel = at::exp(-0.5 * ((across / sigma_w).square() + (along / sigma_h).square()));
  return (kernel / kernel.sum()).unsqueeze(0).unsqueeze(0).to(options);
}

inline Tensor gaussian_kernel(const std::vector<double>& sigmas, const at::TensorOptions& options) {
  if (sigmas.empty() || sigmas.size() > 3) {
    throw error::InvalidArgument(
        formatted("gaussian_kernel: expected 1 to 3 sigmas, got {}", sigmas.size()));
  }
  const std::int64_t half = detail::half_side(sigmas);
  Tensor kernel = at::ones({1, 1}, at::kDouble);
  for (const double sigma : sigmas) {
    const Tensor profile = at::exp(-0.5 * (detail::offsets(half) / sigma).square());
    kernel = kernel.unsqueeze(-1) * (profile / profile.sum());
  }
  return kernel.to(options);
}

}  // namespace tessera
