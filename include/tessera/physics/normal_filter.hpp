// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <utility>

#include "tessera/core/tensor.hpp"
#include "tessera/physics/detail/convolution.hpp"

namespace tessera {

/// A^T A as a filter: A^T A x = crop F^-1[spectrum F[pad x]], where x is filled up with zeros at
/// its end to the extents `transform`, and the result is cut back. One pair of Fourier transforms
/// for any number of operators or measurements.
///
/// Circulant (circular blurs): the transform has x's own extents, and (A^T A + c I)^-1 is a filter
/// too. Otherwise A^T A is Toeplitz, or block-Toeplitz with Toeplitz blocks: an image sees no
/// opposite side (non-uniform Fourier transforms, convolutions whose results are kept whole). From
/// twice x's extents on, less one pixel, every such A^T A has a filter.
struct NormalFilter {
  Tensor spectrum;        ///< real, (1 or B, 1 or C, rfftn of `transform`), float32 at least;
                          ///< undefined if A^T A is no filter
  Extents transform;      ///< spatial extents of the Fourier transform
  bool circulant = true;  ///< the transform has x's own extents

  /// A filter on x's own extents.
  static NormalFilter on_extents_of(const Tensor& x, Tensor spectrum) {
    return {std::move(spectrum), x.sizes().slice(2).vec(), true};
  }

  bool defined() const { return spectrum.defined(); }
  bool has_kind_of(const NormalFilter& other) const {
    return circulant == other.circulant && transform == other.transform;
  }

  /// At least the largest eigenvalue of A^T A, and that itself if circulant.
  double norm_bound() const { return spectrum.max().item<double>(); }

  /// A^T A x.
  Tensor apply(const Tensor& x) const {
    const Tensor filtered = convolve_fourier(x, spectrum, transform, false);
    return circulant ? filtered : first_pixels(filtered, x.sizes().slice(2).vec()).contiguous();
  }

  /// (A^T A + shift I)^-1 b, for a circulant filter and shift > 0.
  Tensor apply_shifted_inverse(const Tensor& b, double shift) const {
    return convolve_fourier(b, (spectrum + shift).reciprocal_(), transform, false);
  }
};

/// The filter of A^T A + B^T B. Filters add up only if they are of one kind: none otherwise, and
/// none where one is missing.
inline NormalFilter operator+(const NormalFilter& a, const NormalFilter& b) {
  if (!a.defined() || !b.defined() || !a.has_kind_of(b)) return {};
  return {a.spectrum + b.spectrum, a.transform, a.circulant};
}

/// The filter of factor A^T A.
inline NormalFilter operator*(double factor, const NormalFilter& a) {
  if (!a.defined()) return {};
  return {factor * a.spectrum, a.transform, a.circulant};
}

}  // namespace tessera
