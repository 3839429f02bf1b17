// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/ops/abs.h>
#include <ATen/ops/fft_irfftn.h>
#include <ATen/ops/fft_rfftn.h>
#include <ATen/ops/logical_and.h>
#include <ATen/ops/round.h>
#include <ATen/ops/where.h>

#include "tessera/core/check.hpp"
#include "tessera/core/tensor.hpp"

namespace tessera {

/// How far the residual of a restoration is from white noise: the energy of its normalised
/// autocorrelation off lag zero,
///
///     sum over lags l != 0 of (R(l) / R(0))^2,   R(l) = sum_n r(n) r(n + l),
///
/// of r less its mean, all channels of an image together, circularly over all spatial lags (in
/// Fourier space, at the cost of two transforms). About 1 / channels for white noise of any number
/// of pixels, and larger for everything else: what is left of the image, or noise that was
/// fitted in part. Where the operator and the model of noise are right, the weight of the prior
/// with the smallest energy is nearly the best one, and no level of the noise is needed (Almeida
/// and Figueiredo, IEEE Trans. Image Process. 22, 2013; over all lags: Lanza, Pragliola and
/// Sgallari, Electron. Trans. Numer. Anal. 53, 2020). Noise whose level varies, such as that of
/// counts, is to be divided by its standard deviation first (Bevilacqua, Lanza, Pragliola and
/// Sgallari, SIAM J. Imaging Sci. 16, 2023).
///
/// `residual`: (B, C, spatial...) of 1 to 3 spatial dimensions, floating. Shape (B), float64; 0 for
/// a constant residual. Throws error::ShapeMismatch for what is no image.
Tensor autocorrelation_energy(const Tensor& residual);

/// The same of what `mask`, which expands to the residual, shows: where it is more than 0. Values
/// elsewhere do not matter. P(l) pairs of values that are seen lie l apart, and white noise has
/// squares (R(l) / R(0))^2 of P(l) / P(0)^2 on average: each is multiplied by P(0)^2 / (P(l) L
/// channels), L the number of lags that have pairs, so that the energy of white noise is about 1 /
/// channels for every mask, and that of a mask that hides nothing is the one above. 0 for a mask
/// that hides everything.
Tensor autocorrelation_energy(const Tensor& residual, const Tensor& mask);

/// R(l) / R(0) of each image of a batch as above, lag zero at index 0: (B, spatial...), float64.
/// 0 everywhere for a constant residual.
Tensor autocorrelation(const Tensor& residual);

namespace detail {

inline Extents spatial_axes_of(const Tensor& image) {
  Extents axes;
  for (std::int64_t axis = 2; axis < image.dim(); ++axis) axes.push_back(axis);
  return axes;
}

/// sum_n x(n) x(n + l) over channels and places, (B, 1, spatial...).
inline Tensor lagged_products(const Tensor& x) {
  const Extents axes = spatial_axes_of(x);
  const Tensor power = at::abs(at::fft_rfftn(x, {}, axes)).square();
  return at::fft_irfftn(power.sum(1, /*keepdim=*/true), x.sizes().slice(2), axes);
}

/// The places and lags of images that are whole here.
struct WholeLags {
  /// Over all places, (B, C, 1...).
  Tensor sum(const Tensor& x) const { return x.sum(spatial_axes_of(x), /*keepdim=*/true); }
  /// How many there are.
  double places(const Tensor& x) const {
    return static_cast<double>(c10::multiply_integers(x.sizes().slice(2)));
  }
  Tensor products(const Tensor& x) const { return lagged_products(x); }
};

/// autocorrelation_energy() of an image with these places and lags.
template <typename Lags>
Tensor energy_over(const Lags& lags, const Tensor& residual) {
  const Tensor wide = residual.to(at::kDouble);
  const Tensor values = wide - lags.sum(wide) / lags.places(wide);
  const Tensor at_zero = lags.sum(values.square()).sum(1, /*keepdim=*/true);
  const Tensor normalised = at::where(at_zero > 0, lags.products(values) / at_zero, 0.0);
  return (lags.sum(normalised.square()) - (at_zero > 0).to(at::kDouble)).flatten();
}

/// The same of what a mask shows.
template <typename Lags>
Tensor energy_over(const Lags& lags, const Tensor& residual, const Tensor& mask) {
  const Tensor seen = (mask > 0).expand_as(residual);
  const Tensor shown = at::where(seen, residual.to(at::kDouble), 0.0);
  const Tensor counts = lags.sum(seen.to(at::kDouble));
  const Tensor values = at::where(seen, shown - lags.sum(shown) / counts.clamp_min(1), 0.0);
  const Tensor products = lags.products(values);
  const Tensor pairs = at::round(lags.products(seen.to(at::kDouble)));
  const Tensor at_zero = lags.sum(values.square()).sum(1, /*keepdim=*/true);
  const Tensor of_zero = counts.sum(1, /*keepdim=*/true);
  const Tensor terms_of_all =
      lags.sum((pairs > 0).to(at::kDouble)) * static_cast<double>(residual.size(1));
  const Tensor expected = pairs / of_zero.square() * terms_of_all;
  const Tensor terms = at::where(at::logical_and(pairs > 0, at_zero > 0),
                                 (products / at_zero).square() / expected, 0.0);
  return (lags.sum(terms) - at::where(at_zero > 0, of_zero / terms_of_all, 0.0)).flatten();
}

}  // namespace detail

inline Tensor autocorrelation(const Tensor& residual) {
  check_image(residual, "autocorrelation: residual");
  const Tensor wide = residual.to(at::kDouble);
  const Tensor sum =
      detail::lagged_products(wide - wide.mean(detail::spatial_axes_of(residual), /*keepdim=*/true))
          .select(1, 0);
  Extents ones(static_cast<std::size_t>(sum.dim()), 1);
  ones[0] = sum.size(0);
  const Tensor at_zero = sum.flatten(1).select(1, 0).view(ones);
  return at::where(at_zero > 0, sum / at_zero, 0.0);
}

inline Tensor autocorrelation_energy(const Tensor& residual) {
  check_image(residual, "autocorrelation_energy: residual");
  return detail::energy_over(detail::WholeLags{}, residual);
}

inline Tensor autocorrelation_energy(const Tensor& residual, const Tensor& mask) {
  check_image(residual, "autocorrelation_energy: residual");
  return detail::energy_over(detail::WholeLags{}, residual, mask);
}

}  // namespace tessera
