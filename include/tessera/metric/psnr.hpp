#pragma once

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

}  // namespace tessera
