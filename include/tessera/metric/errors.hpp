// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/ops/abs.h>
#include <ATen/ops/asinh.h>
#include <ATen/ops/log10.h>
#include <ATen/ops/sqrt.h>

#include <cmath>

#include "tessera/core/check.hpp"
#include "tessera/core/tensor.hpp"
#include "tessera/metric/psnr.hpp"

namespace tessera {

/// Mean absolute error of each image of a batch: shape (B), float64. Precision, summation and
/// errors as of mse().
Tensor mae(const Tensor& image, const Tensor& reference);

/// ||image - reference|| / ||reference|| of each image of a batch: shape (B), float64. Independent
/// of the scale of intensities. Precision, summation and errors as of mse().
Tensor nrmse(const Tensor& image, const Tensor& reference);

/// PSNR of asinh(intensity / b), b = range / 100: differences in the dark count as much as in the
/// light, for images of a high dynamic range (the stretch of Lupton and others, PASP 116, 2004; as
/// deepinv's distributed benchmark has it): 10 log10(asinh(100)^2 / mse), shape (B), float64.
Tensor asinh_psnr(const Tensor& image, const Tensor& reference, double range = 1);

inline Tensor mae(const Tensor& image, const Tensor& reference) {
  check_image(image, "mae: image");
  check_like(reference, image, "mae: reference");
  const at::ScalarType type = c10::promoteTypes(image.scalar_type(), at::kFloat);
  return at::abs(image.to(type) - reference.to(type)).flatten(1).mean(1, false, at::kDouble);
}

inline Tensor nrmse(const Tensor& image, const Tensor& reference) {
  const Tensor error = mse(image, reference);
  const Tensor wide = reference.to(c10::promoteTypes(reference.scalar_type(), at::kFloat));
  return at::sqrt(error / wide.square().flatten(1).mean(1, false, at::kDouble));
}

inline Tensor asinh_psnr(const Tensor& image, const Tensor& reference, double range) {
  check_positive(range, "asinh_psnr", "range");
  check_image(image, "asinh_psnr: image");
  check_like(reference, image, "asinh_psnr: reference");
  const double b = range / 100;
  const at::ScalarType type = c10::promoteTypes(image.scalar_type(), at::kFloat);
  const double top = std::asinh(100.0);
  return 10 * at::log10(top * top /
                        mse(at::asinh(image.to(type) / b), at::asinh(reference.to(type) / b)));
}

}  // namespace tessera
