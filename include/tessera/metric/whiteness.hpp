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

/// sum_n x(n) x(n + l) over channels and places, (B, spatial...).
inline Tensor lagged_products(const Tensor& x) {
  const Extents axes = spatial_axes_of(x);
  const Tensor power = at::abs(at::fft_rfftn(x, {}, axes)).square();
  Extents spatial_axes = axes;
  for (std::int64_t& axis : spatial_axes) --axis;  // those of the sum over channels
  return at::fft_irfftn(power.sum(1), x.sizes().slice(2), spatial_axes);
}

}  // namespace detail

inline Tensor autocorrelation(const Tensor& residual) {
  check_image(residual, "autocorrelation: residual");
  const Tensor wide = residual.to(at::kDouble);
  const Tensor sum = detail::lagged_products(
      wide - wide.mean(detail::spatial_axes_of(residual), /*keepdim=*/true));
  Extents ones(static_cast<std::size_t>(sum.dim()), 1);
  ones[0] = sum.size(0);
  const Tensor at_zero = sum.flatten(1).select(1, 0).view(ones);
  return at::where(at_zero > 0, sum / at_zero, 0.0);
}

inline Tensor autocorrelation_energy(const Tensor& residual) {
  const Tensor normalised = autocorrelation(residual).flatten(1);
  return normalised.square().sum(1) - normalised.select(1, 0).square();
}

inline Tensor autocorrelation_energy(const Tensor& residual, const Tensor& mask) {
  check_image(residual, "autocorrelation_energy: residual");
  const Extents axes = detail::spatial_axes_of(residual);
  const Tensor seen = (mask > 0).expand_as(residual);
  const Tensor values = at::where(seen, residual.to(at::kDouble), 0.0);
  const Tensor counts = seen.to(at::kDouble).sum(axes, /*keepdim=*/true);
  const Tensor means = values.sum(axes, /*keepdim=*/true) / counts.clamp_min(1);
  const Tensor products = detail::lagged_products(at::where(seen, values - means, 0.0)).flatten(1);
  const Tensor pairs = at::round(detail::lagged_products(seen.to(at::kDouble)).flatten(1));
  const Tensor at_zero = products.narrow(1, 0, 1);
  const Tensor lags = (pairs > 0).sum(1, /*keepdim=*/true) * residual.size(1);
  const Tensor expected = pairs / pairs.narrow(1, 0, 1).square() * lags;
  const Tensor terms = at::where(at::logical_and(pairs > 0, at_zero > 0),
                                 (products / at_zero).square() / expected, 0.0);
  return terms.narrow(1, 1, terms.size(1) - 1).sum(1);
}

}  // namespace tessera
