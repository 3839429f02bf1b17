// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/ops/fft_rfftn.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <numeric>

#include "tessera/core/error.hpp"
#include "tessera/core/text.hpp"
#include "tessera/physics/blur.hpp"

namespace tessera {

/// Blur, then every factor-th pixel along each spatial dimension, from the first on: the forward
/// model of super-resolution.
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
  /// Known for circular blurs: A A^T is a circular convolution.
  inline std::optional<double> do_norm_squared(const Tensor& x) const override;

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

inline std::optional<double> Downsampling::do_norm_squared(const Tensor& x) const {
  if (!blur_.has_exact_inverse(x)) return std::nullopt;
  Tensor impulse = at::zeros_like(do_apply(x.to(c10::promoteTypes(x.scalar_type(), at::kFloat))));
  impulse.flatten(2).select(2, 0).fill_(1);
  const Tensor response = do_apply(do_apply_adjoint(impulse));
  std::vector<std::int64_t> spatial(static_cast<std::size_t>(x.dim() - 2));
  std::iota(spatial.begin(), spatial.end(), 2);
  return at::fft_rfftn(response, {}, spatial).abs().max().item<double>();
}

}  // namespace tessera
