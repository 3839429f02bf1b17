// SPDX-License-Identifier: BSD-3-Clause
#include "tessera/fourier/nonuniform_fourier.hpp"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/fft_fftn.h>
#include <ATen/ops/fft_rfftn.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/real.h>

#include <algorithm>
#include <utility>

#include "fourier/nonuniform_transform.hpp"
#include "tessera/core/check.hpp"
#include "tessera/core/complex_channels.hpp"
#include "tessera/core/error.hpp"

namespace tessera {

namespace {

constexpr const char* transform_name = "nonuniform_fourier";

void check_points(const Extents& spatial, const Tensor& points) {
  if (spatial.empty() || spatial.size() > 3 ||
      *std::min_element(spatial.begin(), spatial.end()) < 1) {
    throw error::InvalidArgument(
        formatted("{}: the extents are {}, expected 1 to 3 of them, each 1 or more", transform_name,
                  to_string(spatial)));
  }
  const bool ok = points.defined() && points.is_floating_point() && points.dim() == 2 &&
                  points.size(0) > 0 && points.size(0) <= 0xffffffffLL &&
                  points.size(1) == static_cast<std::int64_t>(spatial.size());
  if (!ok) {
    throw error::ShapeMismatch(
        formatted("{}: the points are {}, expected floating (M, {}) for images of extents {}",
                  transform_name, describe(points), spatial.size(), to_string(spatial)));
  }
  check_finite(points, transform_name, "the points");
}

void check_weights(const Tensor& weights, const Tensor& points) {
  if (!weights.is_floating_point() || weights.sizes() != at::IntArrayRef({points.size(0)})) {
    throw error::ShapeMismatch(
        formatted("{}: the weights are {}, expected floating [{}] for points {}", transform_name,
                  describe(weights), points.size(0), describe(points)));
  }
  check_finite(weights, transform_name, "the weights");
  const double least = weights.min().item<double>();
  if (least < 0) {
    throw error::InvalidArgument(
        formatted("{}: a weight is {}, expected numbers >= 0", transform_name, least));
  }
}

/// (B, C, ...) as (B C, ...).
Tensor planes_of(const Tensor& tensor) {
  return tensor.flatten(0, 1);
}

}  // namespace

NonuniformFourier::NonuniformFourier(Extents spatial, const Tensor& points,
                                     NonuniformFourierOptions options)
    : extents_(std::move(spatial)), options_(std::move(options)) {
  check_points(extents_, points);
  if (!(options_.tolerance >= 1e-14 && options_.tolerance <= 0.1)) {
    throw error::InvalidArgument(formatted("{}: the tolerance is {}, expected 1e-14 to 0.1",
                                           transform_name, options_.tolerance));
  }
  points_ = points.detach().to(at::kDouble).contiguous();
  if (options_.weights.defined()) {
    check_weights(options_.weights, points_);
    options_.weights = options_.weights.detach().to(points_.device(), at::kDouble);
    roots_ = ConvertedTensor(options_.weights.sqrt());
  }
  transform_ = std::make_unique<const fourier::NonuniformTransform>(
      extents_, points_, options_.tolerance, options_.by_tensors);
}

NonuniformFourier::~NonuniformFourier() = default;

void NonuniformFourier::check_image_fits(const Tensor& x, const char* what) const {
  const bool pairs = options_.complex_pairs;
  const bool ok = (x.scalar_type() == at::kFloat || x.scalar_type() == at::kDouble) &&
                  x.dim() == static_cast<std::int64_t>(extents_.size()) + 2 &&
                  x.sizes().slice(2) == at::IntArrayRef(extents_) && (!pairs || x.size(1) % 2 == 0);
  if (ok) return;
  throw error::ShapeMismatch(formatted(
      "{}.{} is {}, expected a float32 or float64 image{} of extents {}", transform_name, what,
      describe(x), pairs ? " with pairs of channels, re and im," : "", to_string(extents_)));
}

Tensor NonuniformFourier::weighted(const Tensor& values) const {
  if (!roots_.original().defined()) return values;
  return values * roots_.as(values.device(), c10::toRealValueType(values.scalar_type()));
}

Tensor NonuniformFourier::do_apply(const Tensor& x) const {
  const at::NoGradGuard no_gradients;  // the adjoint is the derivative
  check_image_fits(x, "forward: x");
  const Tensor image =
      options_.complex_pairs ? to_complex(x) : x.to(c10::toComplexType(x.scalar_type()));
  const Tensor y = transform_->at_points(planes_of(image));
  return weighted(y).view({image.size(0), image.size(1), points_.size(0)});
}

Tensor NonuniformFourier::do_apply_adjoint(const Tensor& v) const {
  const at::NoGradGuard no_gradients;
  const bool ok = (v.scalar_type() == at::kComplexFloat || v.scalar_type() == at::kComplexDouble) &&
                  v.dim() == 3 && v.size(2) == points_.size(0);
  if (!ok) {
    throw error::ShapeMismatch(
        formatted("{}.adjoint: v is {}, expected complex64 or complex128 (B, C, {})",
                  transform_name, describe(v), points_.size(0)));
  }
  Extents shape = {v.size(0), v.size(1)};
  shape.insert(shape.end(), extents_.begin(), extents_.end());
  const Tensor image = transform_->on_grid(planes_of(weighted(v))).view(shape);
  return options_.complex_pairs ? from_complex(image) : at::real(image).contiguous();
}

// (A^T A)_{n n'} = q[n - n'] with q[d] = sum_m w_m exp(i k_m . d), |d| < N: the transform of the
// weights on 2 N - 1 pixels.
NormalFilter NonuniformFourier::do_normal_filter(const Tensor& x) const {
  check_image_fits(x, "normal_filter: x");
  Extents lags;
  Extents transform;
  Extents axes;
  for (std::size_t a = 0; a < extents_.size(); ++a) {
    lags.push_back(2 * extents_[a] - 1);
    transform.push_back(fast_fourier_length(lags.back()));
    axes.push_back(static_cast<std::int64_t>(a) + 1);
  }
  const fourier::NonuniformTransform lag_transform(lags, points_, options_.tolerance,
                                                   options_.by_tensors);
  const Tensor weights = options_.weights.defined()
                             ? options_.weights
                             : at::ones({points_.size(0)}, points_.options());
  Tensor kernel = lag_transform.on_grid(weights.to(at::kComplexDouble).unsqueeze(0));
  if (!options_.complex_pairs) kernel = at::real(kernel);
  for (std::size_t a = 0; a < axes.size(); ++a) {
    kernel = fourier::wrapped(kernel, axes[a], transform[a]);
  }
  const Tensor spectrum = at::real(options_.complex_pairs ? at::fft_fftn(kernel, {}, axes)
                                                          : at::fft_rfftn(kernel, {}, axes));
  NormalFilter filter{spectrum.unsqueeze(0).to(x.options()), transform, false};
  filter.pairs = options_.complex_pairs;
  return filter;
}

}  // namespace tessera
