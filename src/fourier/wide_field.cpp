// SPDX-License-Identifier: BSD-3-Clause
#include "fourier/wide_field.hpp"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/polar.h>
#include <ATen/ops/real.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>

#include "tessera/core/error.hpp"

namespace tessera::fourier {

namespace {

/// exp(-2 pi i turns).
Tensor phase(const Tensor& turns) {
  const Tensor angle = (turns - turns.floor()) * (-2 * std::numbers::pi);
  return at::polar(at::ones_like(angle), angle);
}

/// n - 1 of each pixel, without cancellation near the centre.
Tensor heights_of(const Extents& spatial, double cell) {
  const auto squares = [&](std::int64_t n) {
    const std::int64_t centre = n / 2;
    return ((at::arange(n, at::kDouble) - static_cast<double>(centre)) * cell).square();
  };
  const Tensor square = squares(spatial[0]).unsqueeze(1) + squares(spatial[1]).unsqueeze(0);
  if (square.max().item<double>() >= 1) {
    throw error::InvalidArgument(
        formatted("interferometer: an image of {} pixels of {} radians reaches beyond the horizon",
                  to_string(spatial), cell));
  }
  return -square / ((1 - square).sqrt() + 1);
}

}  // namespace

// Along w the visibility is a sum of exp(-2 pi i w h) over heights h = n - 1 - middle. With planes
// 1 / (4 max |h|) apart, a kernel on them is what it is on a grid oversampled twice.
WideField::WideField(const Extents& spatial, double cell, const Tensor& points, const Tensor& w,
                     Tensor roots, double tolerance, bool divide_by_n)
    : extents_(spatial), count_(w.size(0)) {
  const Tensor heights = heights_of(spatial, cell);
  const double middle = 0.5 * heights.min().item<double>();
  heights_ = heights - middle;
  const GriddingKernel kernel(GriddingKernel::width_for(tolerance));
  const double lowest = w.min().item<double>();
  const double range = w.max().item<double>() - lowest;
  // One pixel, or one w: any distance will do.
  const double spacing =
      0.25 / std::max({std::abs(middle), 1e-3 / std::max(range, 1e-300), 1e-300});

  correction_ = at::empty_like(heights_);
  const double* height = heights_.const_data_ptr<double>();
  double* correction = correction_.mutable_data_ptr<double>();
  for (std::int64_t i = 0; i < heights_.numel(); ++i) {
    correction[i] = 1 / kernel.transform(height[i] * spacing);
  }
  if (divide_by_n) correction_ = correction_ / (heights + 1);
  factors_ = phase(w * middle) * roots;

  const double half = 0.5 * kernel.width();
  const auto last = static_cast<std::int64_t>(std::floor(range / spacing + half));
  std::vector<std::vector<std::int64_t>> indices(static_cast<std::size_t>(last + kernel.width()));
  std::vector<std::vector<double>> shares(indices.size());
  const auto before = static_cast<std::int64_t>(half);
  const Tensor contiguous = w.contiguous();
  for (std::int64_t k = 0; k < count_; ++k) {
    const double position = (contiguous.const_data_ptr<double>()[k] - lowest) / spacing;
    const auto first = static_cast<std::int64_t>(std::ceil(position - half));
    for (std::int64_t p = first; p < first + kernel.width(); ++p) {
      const double z = (static_cast<double>(p) - position) / half;
      if (std::abs(z) > 1) continue;
      indices[static_cast<std::size_t>(p + before)].push_back(k);
      shares[static_cast<std::size_t>(p + before)].push_back(kernel.at(z));
    }
  }
  for (std::size_t p = 0; p < indices.size(); ++p) {
    if (indices[p].empty()) continue;
    const Tensor index = at::tensor(indices[p], at::kLong);
    const double plane =
        lowest + static_cast<double>(static_cast<std::int64_t>(p) - before) * spacing;
    planes_.push_back({plane, index, at::tensor(shares[p], at::kDouble),
                       NonuniformTransform(extents_, points.index_select(0, index), tolerance,
                                           /*by_tensors=*/false)});
    indices[p] = {};
    shares[p] = {};
  }
}

Tensor WideField::screen(const Plane& plane, at::ScalarType type) const {
  return (phase(heights_ * plane.w) * correction_).to(type);
}

Tensor WideField::do_apply(const Tensor& x) const {
  const at::NoGradGuard no_gradients;  // the adjoint is the derivative
  const bool ok = (x.scalar_type() == at::kFloat || x.scalar_type() == at::kDouble) &&
                  x.dim() == 4 && x.sizes().slice(2) == at::IntArrayRef(extents_);
  if (!ok) {
    throw error::ShapeMismatch(
        formatted("{}.forward: x is {}, expected a float32 or float64 image of extents {}", name(),
                  describe(x), to_string(extents_)));
  }
  const at::ScalarType type = c10::toComplexType(x.scalar_type());
  const Tensor images = x.to(at::kCPU).flatten(0, 1);
  Tensor y = at::zeros({images.size(0), count_}, images.options().dtype(type));
  for (const Plane& plane : planes_) {
    const Tensor part = plane.transform.at_points(images * screen(plane, type));
    y.index_add_(1, plane.indices, part * plane.shares.to(x.scalar_type()));
  }
  return (y * factors(type)).view({x.size(0), x.size(1), count_}).to(x.device());
}

Tensor WideField::do_apply_adjoint(const Tensor& v) const {
  const at::NoGradGuard no_gradients;
  const bool ok = (v.scalar_type() == at::kComplexFloat || v.scalar_type() == at::kComplexDouble) &&
                  v.dim() == 3 && v.size(2) == count_;
  if (!ok) {
    throw error::ShapeMismatch(
        formatted("{}.adjoint: v is {}, expected complex64 or complex128 (B, C, {})", name(),
                  describe(v), count_));
  }
  const at::ScalarType type = v.scalar_type();
  const Tensor values = v.to(at::kCPU).flatten(0, 1) * factors(type).conj();
  Tensor images = at::zeros({values.size(0), extents_[0], extents_[1]},
                            values.options().dtype(c10::toRealValueType(type)));
  for (const Plane& plane : planes_) {
    const Tensor part =
        values.index_select(1, plane.indices) * plane.shares.to(c10::toRealValueType(type));
    images.add_(at::real(plane.transform.on_grid(part) * screen(plane, type).conj()));
  }
  return images.view({v.size(0), v.size(1), extents_[0], extents_[1]}).to(v.device());
}

}  // namespace tessera::fourier
