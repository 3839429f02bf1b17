// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/ops/arange.h>
#include <ATen/ops/grid_sampler_2d.h>
#include <ATen/ops/grid_sampler_2d_backward.h>
#include <ATen/ops/grid_sampler_3d.h>
#include <ATen/ops/grid_sampler_3d_backward.h>
#include <ATen/ops/stack.h>

#include <cstdint>
#include <string>
#include <tuple>
#include <utility>

#include "tessera/core/check.hpp"
#include "tessera/core/error.hpp"
#include "tessera/core/text.hpp"
#include "tessera/physics/linear_operator.hpp"
#include "tessera/physics/spectrum_cache.hpp"

namespace tessera {

/// An affine motion of an image, in 2 or 3 dimensions, on a frame of the same extents: pixel p of y
/// shows x at c + M (p - c) + t, where c = (n - 1) / 2 is the centre of the frame and positions are
/// in pixels, rows first. Between pixels x is linear along each axis, beyond its border zero.
///
/// The adjoint is the exact transpose, not the inverse motion. Positions are computed in float64
/// and rounded to the image's precision, at least float32, once per image size and device, and
/// kept: one number per dimension and pixel. For shifts alone Translation is sharper, and a filter.
class Warp : public LinearOperator {
 public:
  /// `matrix`: [M t], real, (2, 3) or (3, 4); finite, else error::InvalidArgument.
  explicit Warp(Tensor matrix);

  std::string name() const override { return "warp"; }
  const Tensor& matrix() const { return matrix_; }

 private:
  inline Tensor do_apply(const Tensor& x) const override;
  inline Tensor do_apply_adjoint(const Tensor& v) const override;

  /// Where each pixel of y looks: (B, spatial..., d) as at::grid_sampler takes it, which is from -1
  /// to 1 over the frame's pixels with their full sides (align_corners = false), last axis first.
  inline Tensor positions(const Tensor& image, const char* what) const;
  inline Tensor positions_on(const Extents& extents) const;

  Tensor matrix_;  // float64, on the host
  mutable SpectrumCache<> positions_;
};

inline Warp::Warp(Tensor matrix) : matrix_(std::move(matrix)) {
  const bool ok = matrix_.defined() && matrix_.is_floating_point() && matrix_.dim() == 2 &&
                  (matrix_.size(0) == 2 || matrix_.size(0) == 3) &&
                  matrix_.size(1) == matrix_.size(0) + 1;
  if (!ok) {
    throw error::ShapeMismatch(formatted(
        "warp: the matrix is {}, expected a floating (2, 3) or (3, 4)", describe(matrix_)));
  }
  check_finite(matrix_, "warp", "the matrix");
  matrix_ = matrix_.detach().to(at::kCPU, at::kDouble, /*non_blocking=*/false, /*copy=*/true);
}

inline Tensor Warp::positions_on(const Extents& extents) const {
  const auto dimensions = static_cast<std::int64_t>(extents.size());
  TensorList along;  // each axis, last first
  for (std::int64_t d = dimensions; d-- > 0;) {
    const std::int64_t n = extents[static_cast<std::size_t>(d)];
    Tensor position = matrix_[d][dimensions] + static_cast<double>(n - 1) / 2;
    for (std::int64_t e = 0; e < dimensions; ++e) {
      Extents shape(extents.size(), 1);
      shape[static_cast<std::size_t>(e)] = -1;
      const std::int64_t m = extents[static_cast<std::size_t>(e)];
      const Tensor from_centre = at::arange(m, at::kDouble) - static_cast<double>(m - 1) / 2;
      position = position + matrix_[d][e] * from_centre.view(shape);
    }
    along.push_back((2 * position + 1) / static_cast<double>(n) - 1);
  }
  return at::stack(along, -1).unsqueeze(0);
}

inline Tensor Warp::positions(const Tensor& image, const char* what) const {
  if (spatial_dimensions(image) != matrix_.size(0)) {
    throw error::ShapeMismatch(formatted("warp.{} is {}, expected {} spatial dimensions", what,
                                         describe(image), matrix_.size(0)));
  }
  const Extents extents = image.sizes().slice(2).vec();
  const Tensor kept = positions_.get({extents, image.scalar_type(), image.device()},
                                     [&] { return positions_on(extents).to(image.options()); });
  Extents shape = kept.sizes().vec();
  shape[0] = image.size(0);
  return kept.expand(shape);
}

// Linear interpolation and zeros beyond the border are at::grid_sampler's modes 0 and 0. Gradients
// are LinearOperator's: those of grid_sampler cannot be differentiated twice.

inline Tensor Warp::do_apply(const Tensor& x) const {
  const Tensor wide = detail::widened(x.detach());
  const Tensor grid = positions(wide, "forward: x");
  const Tensor y = x.dim() == 4 ? at::grid_sampler_2d(wide, grid, 0, 0, false)
                                : at::grid_sampler_3d(wide, grid, 0, 0, false);
  return y.to(x.scalar_type());
}

inline Tensor Warp::do_apply_adjoint(const Tensor& v) const {
  const Tensor wide = detail::widened(v.detach());
  const Tensor grid = positions(wide, "adjoint: v");
  // The second argument tells the image's shape alone, which is that of v.
  const auto gradients =
      v.dim() == 4 ? at::grid_sampler_2d_backward(wide, wide, grid, 0, 0, false, {true, false})
                   : at::grid_sampler_3d_backward(wide, wide, grid, 0, 0, false, {true, false});
  return std::get<0>(gradients).to(v.scalar_type());
}

}  // namespace tessera
