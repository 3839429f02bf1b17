// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <optional>
#include <string>

#include "tessera/physics/linear_operator.hpp"
#include "tessera/physics/spectrum_cache.hpp"

namespace tessera {

struct MultiCoilFourierOptions {
  /// Images are complex: (B, 2, spatial...) with channels re, im. Real otherwise: (B, 1,
  /// spatial...).
  bool complex_pairs = true;
  /// How many of the last spatial axes are transformed; 0: all. 2 for frames (T, H, W) and for
  /// slices of a volume.
  std::int64_t transformed_axes = 0;
  /// The frequency 0 and the origin of the image are at index N / 2 of each axis, as in the files
  /// of scanners and of fastMRI; else at index 0.
  bool centred = true;
};

/// y_k = m F(s_k x) for each coil k: magnetic resonance imaging on a Cartesian grid. F is the
/// orthonormal discrete Fourier transform, m the mask of what was measured, s_k the sensitivity of
/// coil k. Measurements are complex, (B, coils, spatial...), zero where the mask is; noise there is
/// not seen by the adjoint.
///
/// The adjoint is that of Re <A x, v> on images as real tensors: the sum over coils of conj(s_k)
/// F^H m v_k as channels re and im, or its real part for real images. Shifts to the centre are
/// phases, kept in copies of the mask and the maps: a transform costs no more than one without.
///
/// Coils over ranks: DistributedPhysics with a factory that gives each operator a slice of the
/// maps, MultiCoilFourier(maps.narrow(1, first, count), mask). Its measurements are those coils.
class MultiCoilFourier : public LinearOperator {
 public:
  /// `coils`: complex64 or complex128 (1 or B, coils, spatial...), with 1 to 3 spatial axes.
  /// `mask`: boolean or floating, with as many axes as there are spatial ones, or some of the last.
  /// An axis along which either is constant may have the extent 1: (1, W) is a mask of columns,
  /// (T, H, W) with maps (1, K, 1, H, W) one of moving frames. The images' extents are those of
  /// both together. Throws error::ShapeMismatch or, for values that are not finite,
  /// error::InvalidArgument.
  MultiCoilFourier(const Tensor& coils, const Tensor& mask, MultiCoilFourierOptions options = {});

  std::string name() const override { return "multi_coil_fourier"; }
  const MultiCoilFourierOptions& options() const { return options_; }
  /// Spatial extents of images and measurements.
  const Extents& extents() const { return extents_; }
  /// How many coils.
  std::int64_t coils() const { return coils_.original().size(1); }

  /// The largest square in the mask times the largest sum over coils of |s_k|^2: at least ||A||^2,
  /// at no cost. norm_squared() is within 2 % of it, by Lanczos' method.
  double norm_squared_bound() const { return bound_; }

 private:
  Tensor do_apply(const Tensor& x) const override;
  Tensor do_apply_adjoint(const Tensor& v) const override;
  /// The bound where the mask is constant: A^T A then is a multiplication by it, pixel by pixel.
  std::optional<double> do_norm_squared(const Tensor& x) const override;

  Extents axes() const;
  Tensor maps_for(const Tensor& z) const;
  Tensor mask_for(const Tensor& z) const;
  void check_extents(const Tensor& tensor, bool ok, const char* what,
                     const std::string& expected) const;

  MultiCoilFourierOptions options_;
  Extents extents_;
  ConvertedTensor coils_;  // with the phases of the shift in image space
  ConvertedTensor mask_;   // with those in Fourier space; real where they are signs
  double bound_ = 0;
  bool is_masked_ = true;  // not by a constant
};

}  // namespace tessera
