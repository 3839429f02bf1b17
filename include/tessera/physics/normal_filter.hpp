// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "tessera/comm/detail/image_products.hpp"
#include "tessera/core/tensor.hpp"
#include "tessera/physics/detail/aliases.hpp"
#include "tessera/physics/detail/convolution.hpp"
#include "tessera/physics/shared_fourier.hpp"

namespace tessera {

/// A^T A as a filter: A^T A x = crop F^-1[spectrum F[pad x]], where x is filled up with zeros at
/// its end to the extents `transform`, and the result is cut back. One pair of Fourier transforms
/// for any number of operators or measurements.
///
/// Circulant (circular blurs): the transform has x's own extents, and (A^T A + c I)^-1 is a filter
/// too. Otherwise A^T A is Toeplitz, or block-Toeplitz with Toeplitz blocks: an image sees no
/// opposite side (non-uniform Fourier transforms, convolutions whose results are kept whole). From
/// twice x's extents on, less one pixel, every such A^T A has a filter.
///
/// With a factor f > 1 (circular blurs of which every f-th pixel is measured: super-resolution) A^T
/// A is block-circulant: it mixes the f^d aliases of each frequency, k + a N / f, by a Hermitian
/// matrix. The inverse and the norm then are those of the matrices.
///
/// Complex images, pairs of channels (to_complex), are filtered as such: with a real spectrum of
/// all frequencies, which for real images would mirror itself.
///
/// Images that ranks share out are filtered by the Fourier transform `shared`: circulant, by the
/// part of the spectrum that this rank holds. apply, apply_shifted_inverse and norm_bound then are
/// collective.
struct NormalFilter {
  Tensor spectrum;          ///< real, (1 or B, 1 or C, rfftn of `transform`), float32 at least;
                            ///< with a factor f complex, (1 or B, 1 or C, f^d, f^d, N / f...);
                            ///< for pairs real, (1 or B, 1 or pairs, fftn of `transform`);
                            ///< with `shared` this rank's part of it;
                            ///< undefined if A^T A is no filter
  Extents transform;        ///< spatial extents of the Fourier transform, N; with `shared` x's own
  bool circulant = true;    ///< the transform has x's own extents
  std::int64_t factor = 1;  ///< more than 1 for circulant filters alone
  bool pairs = false;       ///< images are pairs of channels, re and im; the factor is 1
  std::shared_ptr<const SharedFourier> shared = {};  ///< null: images are whole

  /// A filter on x's own extents.
  static NormalFilter on_extents_of(const Tensor& x, Tensor spectrum) {
    return {std::move(spectrum), x.sizes().slice(2).vec(), true};
  }
  /// A circulant filter on images that ranks share out, of which x is this rank's part.
  static NormalFilter on_parts_like(const Tensor& x, Tensor spectrum,
                                    std::shared_ptr<const SharedFourier> fourier) {
    return {std::move(spectrum), x.sizes().slice(2).vec(), true, 1, false, std::move(fourier)};
  }
  /// A^T A for every factor-th pixel of a circular convolution, by its transfer function on x's own
  /// extents: complex, (1 or B, 1 or C, N...), all frequencies. factor > 1 divides every extent.
  static NormalFilter of_decimation(const Tensor& x, const Tensor& transfer, std::int64_t factor) {
    return {detail::alias_matrices(transfer, factor), x.sizes().slice(2).vec(), true, factor};
  }

  bool defined() const { return spectrum.defined(); }
  bool has_kind_of(const NormalFilter& other) const {
    return circulant == other.circulant && transform == other.transform && factor == other.factor &&
           pairs == other.pairs && space() == other.space();
  }

  /// At least the largest eigenvalue of A^T A, and that itself if circulant.
  double norm_bound() const {
    if (factor > 1) return detail::largest_of_matrices(spectrum);
    std::vector<double> largest = {spectrum.numel() > 0 ? spectrum.max().item<double>() : 0.0};
    if (shared) {
      detail::share(shared->space().communicator(), "NormalFilter.norm_bound", largest);
    }
    return largest.front();
  }

  /// A^T A x.
  Tensor apply(const Tensor& x) const {
    if (factor > 1) {
      return detail::from_aliases(detail::mix_aliases(spectrum, detail::to_aliases(x, factor)),
                                  factor, x.scalar_type());
    }
    const Tensor filtered = filtered_by(spectrum, x);
    return circulant ? filtered : first_pixels(filtered, x.sizes().slice(2).vec()).contiguous();
  }

  /// (A^T A + shift I)^-1 b, for a circulant filter and shift > 0.
  Tensor apply_shifted_inverse(const Tensor& b, double shift) const {
    if (factor > 1) {
      return detail::from_aliases(
          detail::unmix_aliases(spectrum, shift, detail::to_aliases(b, factor)), factor,
          b.scalar_type());
    }
    return filtered_by((spectrum + shift).reciprocal_(), b);
  }

 private:
  const ImageSpace* space() const { return shared ? &shared->space() : nullptr; }
  Tensor filtered_by(const Tensor& factors, const Tensor& x) const {
    if (shared) return shared->convolve(x, factors);
    return pairs ? convolve_pairs(x, factors, transform)
                 : convolve_fourier(x, factors, transform, false);
  }
};

/// The filter of A^T A + B^T B. Filters add up only if they are of one kind: none otherwise, and
/// none where one is missing.
inline NormalFilter operator+(const NormalFilter& a, const NormalFilter& b) {
  if (!a.defined() || !b.defined() || !a.has_kind_of(b)) return {};
  return {a.spectrum + b.spectrum, a.transform, a.circulant, a.factor, a.pairs, a.shared};
}

/// The filter of factor A^T A.
inline NormalFilter operator*(double factor, const NormalFilter& a) {
  if (!a.defined()) return {};
  return {factor * a.spectrum, a.transform, a.circulant, a.factor, a.pairs, a.shared};
}

}  // namespace tessera
