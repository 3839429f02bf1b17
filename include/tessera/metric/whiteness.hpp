// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/ops/abs.h>
#include <ATen/ops/fft_irfftn.h>
#include <ATen/ops/fft_rfftn.h>
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

/// R(l) / R(0) of each image of a batch as above, lag zero at index 0: (B, spatial...), float64.
/// 0 everywhere for a constant residual.
Tensor autocorrelation(const Tensor& residual);

inline Tensor autocorrelation(const Tensor& residual) {
  check_image(residual, "autocorrelation: residual");
  Extents axes;
  for (std::int64_t axis = 2; axis < residual.dim(); ++axis) axes.push_back(axis);
  const Tensor wide = residual.to(at::kDouble);
  const Tensor centred = wide - wide.mean(axes, /*keepdim=*/true);
  const Tensor power = at::abs(at::fft_rfftn(centred, {}, axes)).square();
  Extents spatial_axes = axes;
  for (std::int64_t& axis : spatial_axes) --axis;  // those of the sum over channels
  const Tensor sum = at::fft_irfftn(power.sum(1), residual.sizes().slice(2), spatial_axes);
  Extents ones(static_cast<std::size_t>(sum.dim()), 1);
  ones[0] = sum.size(0);
  const Tensor at_zero = sum.flatten(1).select(1, 0).view(ones);
  return at::where(at_zero > 0, sum / at_zero, 0.0);
}

inline Tensor autocorrelation_energy(const Tensor& residual) {
  const Tensor normalised = autocorrelation(residual).flatten(1);
  return normalised.square().sum(1) - normalised.select(1, 0).square();
}

}  // namespace tessera
