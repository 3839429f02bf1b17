// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/ops/pad.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tessera/comm/agreement.hpp"
#include "tessera/comm/communicator.hpp"
#include "tessera/comm/image_space.hpp"
#include "tessera/comm/self.hpp"
#include "tessera/core/error.hpp"
#include "tessera/core/flush_denormals.hpp"
#include "tessera/core/tensor.hpp"
#include "tessera/core/text.hpp"
#include "tessera/denoiser/noise_level.hpp"

namespace tessera {

/// Removes Gaussian noise of a given level from images. Intensities are on the scale 0 to 1.
class Denoiser {
 public:
  virtual ~Denoiser() = default;

  virtual std::string name() const = 0;

  /// The denoised image, of x's shape, dtype and device. x is not changed.
  /// Throws error::ShapeMismatch for an image the denoiser does not accept or a level that does not
  /// fit it, error::InvalidArgument for a level that is negative or not finite. Collective if
  /// distributed.
  Tensor denoise(const Tensor& x, const NoiseLevel& sigma) const;

  /// The same for a window of a larger image, which is not extended: extended_extents() is a rule
  /// for whole images, and who cuts windows has extended the image by it. Its extents are multiples
  /// of alignment() and at least minimum_extent().
  Tensor denoise_window(const Tensor& x, const NoiseLevel& sigma) const;

  /// Local. The extents to which denoise extends an image of these spatial extents, at the far ends
  /// by repeating the border, before do_denoise; the result is cropped. Multiples of alignment()
  /// and at least minimum_extent(), or the image's own if it is left as it is.
  virtual std::vector<std::int64_t> extended_extents(at::IntArrayRef spatial) const {
    return spatial.vec();
  }

  /// Largest distance, in pixels along any axis, between an output pixel and the input pixels it
  /// depends on; nullopt if there is no bound (it may depend on the whole image).
  virtual std::optional<std::int64_t> reach() const { return std::nullopt; }

  /// Denoising a window of the extended image whose origin is a multiple of this, with at least
  /// reach() pixels of context, reproduces the whole image's result inside it. 1 for
  /// translation-invariant denoisers.
  virtual std::int64_t alignment() const { return 1; }

  /// The shortest extent that a window may have along any axis. An image that is shorter, even as
  /// extended, may be treated otherwise: crops of it need not reproduce the whole image's result.
  virtual std::int64_t minimum_extent() const { return 1; }

  /// False if the level is ignored, as by a network that was trained for one level and takes none.
  virtual bool follows_level() const { return true; }

  /// True if some of the denoiser's parameters require gradients.
  virtual bool is_trainable() const { return false; }

  /// The ranks that denoise together; the self communicator unless distributed.
  virtual inline Communicator& communicator() const;

  /// Where the images live that are denoised; whole on every rank unless shared out.
  virtual const ImageSpace& space() const { return ImageSpace::whole(); }

  /// Estimate of the working memory denoise needs for an image of this shape, in elements of its
  /// dtype, beside the weights; nullopt if unknown.
  virtual std::optional<double> memory_estimate(at::IntArrayRef /*shape*/) const {
    return std::nullopt;
  }

 private:
  /// Throws error::ShapeMismatch for an image the denoiser does not accept.
  virtual void do_check(const Tensor& /*x*/, const std::string& /*who*/) const {}
  /// x as extended.
  virtual Tensor do_denoise(const Tensor& x, const NoiseLevel& sigma) const = 0;

  void check(const Tensor& x, const NoiseLevel& sigma, const std::string& who) const;
};

using DenoiserPtr = std::shared_ptr<const Denoiser>;

namespace detail {

/// Repeats the border at the far end of each spatial dimension.
inline Tensor extended(const Tensor& x, const std::vector<std::int64_t>& extents) {
  std::vector<std::int64_t> pads;  // last dimension first, before and after
  for (std::size_t axis = extents.size(); axis-- > 0;) {
    pads.push_back(0);
    pads.push_back(extents[axis] - x.size(static_cast<std::int64_t>(axis) + 2));
  }
  return at::pad(x, pads, "replicate");
}

}  // namespace detail

inline Communicator& Denoiser::communicator() const {
  static const CommunicatorPtr self = self_communicator();
  return *self;
}

inline void Denoiser::check(const Tensor& x, const NoiseLevel& sigma,
                            const std::string& who) const {
  // Where several ranks denoise together, the others wait in do_denoise.
  fail_together(communicator(), who, [&] {
    check_image(x, who + ": x");
    do_check(x, who);
    sigma.check_fits(x, who);
  });
}

inline Tensor Denoiser::denoise(const Tensor& x, const NoiseLevel& sigma) const {
  const std::string who = formatted("{}.denoise", name());
  check(x, sigma, who);
  const FlushDenormals no_slow_numbers;
  const std::vector<std::int64_t> extents = extended_extents(x.sizes().slice(2));
  if (x.sizes().slice(2) == at::IntArrayRef(extents)) {
    Tensor result = do_denoise(x, sigma);
    check_like(result, x, who + ": the result");
    return result;
  }
  const Tensor whole = detail::extended(x, extents);
  Tensor result = do_denoise(
      whole, sigma.is_map() ? NoiseLevel(detail::extended(sigma.as_map(x), extents)) : sigma);
  check_like(result, whole, who + ": the result");
  for (std::int64_t axis = 2; axis < x.dim(); ++axis) result = result.narrow(axis, 0, x.size(axis));
  return result.contiguous();
}

inline Tensor Denoiser::denoise_window(const Tensor& x, const NoiseLevel& sigma) const {
  const std::string who = formatted("{}.denoise_window", name());
  check(x, sigma, who);
  const FlushDenormals no_slow_numbers;
  Tensor result = do_denoise(x, sigma);
  check_like(result, x, who + ": the result");
  return result;
}

}  // namespace tessera
