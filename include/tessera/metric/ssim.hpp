#pragma once

#include <cstdint>

#include "tessera/core/tensor.hpp"

namespace tessera {

struct SsimOptions {
  double range = 1;    ///< largest difference that intensities can have, > 0
  double sigma = 1.5;  ///< standard deviation of the Gaussian window, in pixels, > 0
  double k1 = 0.01;
  double k2 = 0.03;
};

/// Structural similarity of each image of a batch: shape (B), float64, on the images' device; 1 for
/// equal images. Local means, variances and covariance under a Gaussian window of int(3.5 sigma +
/// 0.5) pixels to each side (11 wide by default), images reflected at their borders, the index
/// averaged over all pixels and channels. Two or three spatial dimensions (Wang, Bovik, Sheikh,
/// Simoncelli, "Image quality assessment: from error visibility to structural similarity", TIP 13,
/// 2004; border and window size as in torchmetrics). Throws error::ShapeMismatch unless both are
/// images of the same shape, dtype and device, each extent larger than the window's half width.
Tensor ssim(const Tensor& image, const Tensor& reference, const SsimOptions& options = {});

}  // namespace tessera
