#pragma once

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
  Tensor do_apply(const Tensor& x) const override;
  Tensor do_apply_adjoint(const Tensor& v) const override;
  /// Known for circular blurs: A A^T is a circular convolution.
  std::optional<double> do_norm_squared(const Tensor& x) const override;

  std::int64_t factor_;
  Blur blur_;
};

}  // namespace tessera
