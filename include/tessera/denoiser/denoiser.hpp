#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

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
  /// fit it. Collective if distributed.
  Tensor denoise(const Tensor& x, const NoiseLevel& sigma) const;

  /// Largest distance, in pixels along any axis, between an output pixel and the input pixels it
  /// depends on; nullopt if there is no bound (it may depend on the whole image).
  virtual std::optional<std::int64_t> reach() const { return std::nullopt; }

  /// Denoising a crop whose origin is a multiple of this, with at least reach() pixels of context,
  /// reproduces the whole image's result inside it. 1 for translation-invariant denoisers.
  virtual std::int64_t alignment() const { return 1; }

  /// Images at least this long along every spatial axis are all treated alike; shorter ones may be
  /// padded otherwise, so that crops of them, or crops this short, do not reproduce the whole
  /// image's result.
  virtual std::int64_t minimum_extent() const { return 1; }

  /// The ranks that denoise together; the self communicator unless distributed.
  virtual Communicator& communicator() const;

  /// Estimate of the working memory denoise needs for an image of this shape, in elements of its
  /// dtype, beside the weights; nullopt if unknown.
  virtual std::optional<double> memory_estimate(at::IntArrayRef /*shape*/) const {
    return std::nullopt;
  }

 private:
  virtual Tensor do_denoise(const Tensor& x, const NoiseLevel& sigma) const = 0;
};

using DenoiserPtr = std::shared_ptr<const Denoiser>;

}  // namespace tessera
