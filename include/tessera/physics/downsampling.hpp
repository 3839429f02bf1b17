// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/ops/fft_fftn.h>
#include <ATen/ops/zeros.h>

#include <vector>

#include "tessera/core/error.hpp"
#include "tessera/core/text.hpp"
#include "tessera/physics/blur.hpp"

namespace tessera {

/// Blur, then every factor-th pixel along each spatial dimension, from the first on: the forward
/// model of super-resolution. Several frames of one factor, with circular blurs, have their normal
/// operator, norm and inverse in Fourier space (NormalFilter): a gradient costs the same for any
/// number of them. A frame that is shifted by a known part of a pixel is
/// compose(downsampling, translation).
///
/// The extents of the blurred image must be multiples of the factor, else error::ShapeMismatch: an
/// adjoint could not tell how large the image was.
class Downsampling : public LinearOperator {
 public:
  /// factor >= 1; kernel and options as for Blur.
  Downsampling(std::int64_t factor, Tensor kernel, BlurOptions options = {});

  std::string name() const override { return "downsampling"; }
  std::int64_t factor() const { return factor_; }
  const Blur& blur() const { return blur_; }

 private:
  inline Tensor do_apply(const Tensor& x) const override;
  inline Tensor do_apply_adjoint(const Tensor& v) const override;
  /// Known for circular blurs: see NormalFilter.
  inline NormalFilter do_normal_filter(const Tensor& x) const override;

  std::int64_t factor_;
  Blur blur_;
};

namespace detail {

/// A view of every factor-th pixel.
inline Tensor decimated(Tensor image, std::int64_t factor) {
  for (std::int64_t d = 2; d < image.dim(); ++d) image = image.slice(d, 0, image.size(d), factor);
  return image;
}

}  // namespace detail

inline Downsampling::Downsampling(std::int64_t factor, Tensor kernel, BlurOptions options)
    : factor_(factor), blur_(std::move(kernel), options) {
  if (factor < 1) {
    throw error::InvalidArgument(formatted("downsampling: factor is {}, expected >= 1", factor));
  }
}

inline Tensor Downsampling::do_apply(const Tensor& x) const {
  const Tensor blurred = blur_.apply(x);
  for (std::int64_t d = 2; d < x.dim(); ++d) {
    if (blurred.size(d) % factor_ != 0) {
      throw error::ShapeMismatch(formatted(
          "downsampling.forward: x is {}, blurred {}, expected extents that are multiples of {}",
          describe(x), to_string(blurred.sizes()), factor_));
    }
  }
  return detail::decimated(blurred, factor_).contiguous();
}

inline Tensor Downsampling::do_apply_adjoint(const Tensor& v) const {
  check_image(v, "downsampling.adjoint: v");
  std::vector<std::int64_t> shape = v.sizes().vec();
  for (std::size_t d = 2; d < shape.size(); ++d) shape[d] *= factor_;
  const Tensor spread = at::zeros(shape, v.options());
  detail::decimated(spread, factor_).copy_(v);
  return blur_.apply_adjoint(spread);
}

inline NormalFilter Downsampling::do_normal_filter(const Tensor& x) const {
  if (!blur_.has_exact_inverse(x)) return {};
  if (factor_ == 1) return blur_.normal_filter(x);
  for (std::int64_t d = 2; d < x.dim(); ++d) {
    if (x.size(d) % factor_ != 0) return {};  // forward says so
  }
  // The transfer function is the transform of an impulse's image.
  std::vector<std::int64_t> shape = x.sizes().vec();
  shape[0] = blur_.kernel().size(0);
  shape[1] = blur_.kernel().size(1);
  const auto precision = x.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  Tensor impulse = at::zeros(shape, x.options().dtype(precision).requires_grad(false));
  impulse.flatten(2).select(2, 0).fill_(1);
  const auto axes = spatial_axes(static_cast<std::size_t>(x.dim() - 2));
  return NormalFilter::of_decimation(x, at::fft_fftn(blur_.apply(impulse), {}, axes), factor_);
}

}  // namespace tessera
