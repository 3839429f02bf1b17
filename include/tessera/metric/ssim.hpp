#pragma once

#include <cstdint>

#include "tessera/core/tensor.hpp"

namespace tessera {

struct SsimOptions {
  double range = 1;    ///< largest difference that intensities can have, > 0
  double sigma = 1.5;  ///< standard deviation of the Gaussian window, in pixels, > 0
  double k1 = 0.01;    ///< >= 0
  double k2 = 0.03;    ///< >= 0
};

/// True if ssim() has an answer for images of this shape, (B, C, spatial...): two or three spatial
/// dimensions, each longer than half the window's width (at least 6 pixels by default), so that the
/// border can be reflected. For smaller images structural similarity is not defined.
bool ssim_is_defined(at::IntArrayRef shape, const SsimOptions& options = {});

/// Structural similarity of each image of a batch: shape (B), float64, on the images' device; 1 for
/// equal images. Local means, variances and covariance under a Gaussian window of int(3.5 sigma +
/// 0.5) pixels to each side (11 wide by default), images reflected at their borders, the index
/// averaged over all pixels and channels. Two or three spatial dimensions (Wang, Bovik, Sheikh,
/// Simoncelli, "Image quality assessment: from error visibility to structural similarity", TIP 13,
/// 2004; border and window size as in torchmetrics). Computed in float32 at least, and in float64
/// where the intensities reach further than the range: offsets (counts, Hounsfield units) cost no
/// precision. Throws error::ShapeMismatch unless both are images of the same shape, dtype and
/// device for which ssim_is_defined().
Tensor ssim(const Tensor& image, const Tensor& reference, const SsimOptions& options = {});

}  // namespace tessera
