// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <memory>

#include "tessera/denoiser/denoiser.hpp"

namespace tessera {

class BoxPyramid;

/// A network that ranks can compute together, layer by layer, each on its own box of an image:
/// before a convolution they exchange the pixels around their boxes. What LayerwiseDenoiser needs.
class LayerwiseNetwork : public Denoiser {
 public:
  /// Collective over the ranks of `boxes`. What do_denoise makes of the whole image, for this
  /// rank's box of it: x, (B, C, extents of boxes.local()), and its level are as denoise accepts
  /// them. The image is not extended: its extents, like all ends of boxes, are multiples of
  /// alignment(). Not differentiable. A failure on one rank is one of this rank alone: guard the
  /// call.
  virtual Tensor denoise_box(const Tensor& x, const NoiseLevel& sigma,
                             const BoxPyramid& boxes) const = 0;
};

using LayerwiseNetworkPtr = std::shared_ptr<const LayerwiseNetwork>;

}  // namespace tessera
