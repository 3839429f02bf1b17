#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tessera/comm/communicator.hpp"
#include "tessera/core/tensor.hpp"
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

  /// True if some of the denoiser's parameters require gradients.
  virtual bool is_trainable() const { return false; }

  /// The ranks that denoise together; the self communicator unless distributed.
  virtual Communicator& communicator() const;

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

}  // namespace tessera
