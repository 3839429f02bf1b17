// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <memory>
#include <string>

#include "tessera/physics/linear_operator.hpp"
#include "tessera/physics/spectrum_cache.hpp"

namespace tessera {

namespace fourier {
class NonuniformTransform;
}

struct NonuniformFourierOptions {
  /// Largest relative error of y and of the adjoint, near to it: from 1e-14 to 0.1. Float32 images
  /// reach 1e-6. Each digit widens the kernel by a sample in every dimension.
  double tolerance = 1e-6;
  /// Images are complex: (B, 2 C, spatial...) with channels re, im, re, im, ... Real otherwise.
  bool complex_pairs = false;
  /// A weight >= 0 for each point, (M): A^T A and A^T y then are weighted by it, since y_m is
  /// multiplied by its root. 1 if undefined.
  Tensor weights = {};
  /// Tensor operations on processors too, as on other devices: slower, and the same but for
  /// rounding.
  bool by_tensors = false;
};

/// y_m = sum_n x_n exp(-i k_m . n): the Fourier transform of an image at any points k_m, for
/// spirals and spokes of magnetic resonance and for interferometers. Pixel n counts from the
/// centre, -N/2 (rounded to zero), ..., -1, 0, 1, ...; measurements are complex, (B, C, M). Images
/// are float32 or float64.
///
/// The adjoint is that of Re <A x, v> on images as real tensors: sum_m v_m exp(i k_m . n), its real
/// part for real images. It is exact to rounding, whatever the tolerance. On processors the results
/// do not depend on the number of threads, but for rounding in one dimension, where LibTorch shares
/// one long transform among them; on other devices sums of the adjoint do on the order in which the
/// device adds.
///
/// A^T A is Toeplitz, for any number of points: the normal operator is one pair of Fourier
/// transforms on twice the extents, found once by one transform of the weights. L2 so has gradients
/// that see no point and send nothing over ranks. In float64 that transform takes 16 bytes for each
/// of 4^d pixels.
class NonuniformFourier : public LinearOperator {
 public:
  /// `spatial`: the images' extents, 1 to 3 of them. `points`: floating (M, d), radians per pixel
  /// along each axis in the order of the image's (rows first); any real number, of period 2 pi.
  /// Kept in float64. Throws error::ShapeMismatch or, for values that cannot be,
  /// error::InvalidArgument.
  NonuniformFourier(Extents spatial, const Tensor& points, NonuniformFourierOptions options = {});
  ~NonuniformFourier() override;

  std::string name() const override { return "nonuniform_fourier"; }
  const Extents& extents() const { return extents_; }
  /// (M, d), float64.
  const Tensor& points() const { return points_; }
  const NonuniformFourierOptions& options() const { return options_; }

 private:
  Tensor do_apply(const Tensor& x) const override;
  Tensor do_apply_adjoint(const Tensor& v) const override;
  NormalFilter do_normal_filter(const Tensor& x) const override;

  void check_image_fits(const Tensor& x, const char* what) const;
  Tensor weighted(const Tensor& values) const;

  Extents extents_;
  Tensor points_;
  NonuniformFourierOptions options_;
  ConvertedTensor roots_;  // of the weights, float64; undefined without
  std::unique_ptr<const fourier::NonuniformTransform> transform_;
};

}  // namespace tessera
