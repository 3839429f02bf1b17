// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/ops/log10.h>

#include "tessera/core/check.hpp"
#include "tessera/core/tensor.hpp"

namespace tessera {

/// Mean squared error of each image of a batch, over its channels and pixels: shape (B), float64,
/// on the images' device. Differences are taken in the images' dtype, in float32 if that has less
/// precision, and summed in double precision. Throws error::ShapeMismatch unless both are images of
/// the same shape, dtype and device.
Tensor mse(const Tensor& image, const Tensor& reference);

/// Peak signal-to-noise ratio of each image of a batch in dB, 10 log10(range^2 / mse): shape (B),
/// float64. Infinite for equal images. `range` is the largest difference that intensities can have,
/// > 0.
Tensor psnr(const Tensor& image, const Tensor& reference, double range = 1);

inline Tensor mse(const Tensor& image, const Tensor& reference) {
  check_image(image, "mse: image");
  check_like(reference, image, "mse: reference");
  const at::ScalarType type = c10::promoteTypes(image.scalar_type(), at::kFloat);
  const Tensor difference = image.to(type) - reference.to(type);
  return difference.square().flatten(1).mean(1, false, at::kDouble);
}

inline Tensor psnr(const Tensor& image, const Tensor& reference, double range) {
  check_positive(range, "psnr", "range");
  return 10 * at::log10(range * range / mse(image, reference));
}

}  // namespace tessera
