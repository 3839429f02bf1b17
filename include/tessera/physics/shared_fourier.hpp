// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "tessera/comm/agreement.hpp"
#include "tessera/comm/image_space.hpp"
#include "tessera/core/tensor.hpp"

namespace tessera {

/// Fourier transform of real images that ranks share out: each rank holds a part of the image, and
/// a part of its half spectrum. What circular convolutions of such images are made of.
class SharedFourier {
 public:
  virtual ~SharedFourier() = default;

  /// Where the images live. Two transforms of one space cut the spectrum alike.
  virtual const ImageSpace& space() const = 0;

  /// Collective. This rank's part of the spectrum, (B, C, ...), complex, in float32 at least.
  virtual Tensor forward(const Tensor& own) const = 0;

  /// Collective. This rank's part of the image with this half spectrum, in its precision.
  virtual Tensor inverse(const Tensor& spectrum) const = 0;

  /// Collective. F^-1[factors * F[image]], in the image's dtype. `factors`: this rank's part of a
  /// spectrum, real or complex, (1 or B, 1 or C, ...).
  Tensor convolve(const Tensor& own, const Tensor& factors) const {
    const Tensor spectrum = forward(own);
    fail_together(space().communicator(), "SharedFourier.convolve",
                  [&] { spectrum.mul_(factors); });
    return inverse(spectrum).to(own.scalar_type());
  }
};

}  // namespace tessera
