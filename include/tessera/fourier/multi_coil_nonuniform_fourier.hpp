// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>

#include "tessera/fourier/nonuniform_fourier.hpp"
#include "tessera/physics/linear_operator.hpp"
#include "tessera/physics/spectrum_cache.hpp"

namespace tessera {

/// y_k = G(s_k x) for each coil k: magnetic resonance imaging along spirals and spokes. G is
/// NonuniformFourier, s_k the sensitivity of coil k. Measurements are complex, (B, coils, M).
///
/// The adjoint is the sum over coils of conj(s_k) G^H v_k, as channels re and im or its real part;
/// exact to rounding, whatever the tolerance. A^T A is the sum of conj(s_k) G^H G s_k, where G^H G
/// is a filter (Toeplitz; Fessler et al., IEEE Trans. Signal Process. 53, 2005): one pair of
/// Fourier transforms on twice the extents for each coil, for any number of points. Gradients of L2
/// so see no point. Coils are transformed one after the other: the memory is that of one.
///
/// Coils over ranks: DistributedPhysics with a factory that gives each operator a slice of the
/// maps, MultiCoilNonuniformFourier(maps.narrow(1, first, count), points). Its measurements are
/// those coils; a gradient is one all-reduce of an image.
class MultiCoilNonuniformFourier : public LinearOperator {
 public:
  /// `coils`: complex64 or complex128 (1 or B, coils, spatial...), with 1 to 3 spatial axes, those
  /// of the images. `points`: (M, d), radians per pixel, and `options`, as of NonuniformFourier.
  /// Images are (B, 2, spatial...) with options.complex_pairs, else (B, 1, spatial...). Throws
  /// error::ShapeMismatch or, for values that cannot be, error::InvalidArgument.
  MultiCoilNonuniformFourier(const Tensor& coils, const Tensor& points,
                             const NonuniformFourierOptions& options = {});

  std::string name() const override { return "multi_coil_nonuniform_fourier"; }
  /// Spatial extents of images.
  const Extents& extents() const { return transform_.extents(); }
  /// How many coils.
  std::int64_t coils() const { return coils_.original().size(1); }

 private:
  Tensor do_apply(const Tensor& x) const override;
  Tensor do_apply_adjoint(const Tensor& v) const override;
  Tensor do_normal(const Tensor& x) const override;
  bool do_has_fused_normal(const Tensor& /*x*/) const override { return true; }

  /// x as complex numbers.
  Tensor image_of(const Tensor& x, const char* what) const;
  /// The way back.
  Tensor channels_of(const Tensor& image) const;
  /// The map of coil k for images of this precision, (1 or B, 1, spatial...).
  Tensor coil(std::int64_t k, const Tensor& like) const;

  bool complex_pairs_;
  ConvertedTensor coils_;
  NonuniformFourier transform_;  // of complex images
};

}  // namespace tessera
