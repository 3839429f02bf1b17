// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cmath>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tessera/core/error.hpp"
#include "tessera/core/text.hpp"
#include "tessera/denoiser/denoiser.hpp"

namespace tessera {

/// `denoiser` for images whose intensities reach from `low` to `high` instead of 0 to 1: the image
/// is brought to 0 to 1 and back, levels are those of the image. Tiles, reach and shapes are the
/// denoiser's. Throws error::InvalidArgument unless low < high, both finite.
DenoiserPtr scaled(DenoiserPtr denoiser, double low, double high);

/// `denoiser`, which takes images of one channel, for images of any number of channels, each by
/// itself: spectral bands, and complex images as pairs of channels. Levels per image and maps count
/// for all channels of an image.
DenoiserPtr channelwise(DenoiserPtr denoiser);

/// `denoiser`, computed in float32 for images of any floating dtype: networks, whose own precision
/// is no better, in a solver whose arithmetic is float64.
DenoiserPtr in_float32(DenoiserPtr denoiser);

namespace detail {

/// A denoiser that uses another one on images of the same extents.
class AdaptedDenoiser : public Denoiser {
 public:
  AdaptedDenoiser(DenoiserPtr inner, const char* who) : inner_(std::move(inner)) {
    if (!inner_) throw error::InvalidArgument(formatted("{}: denoiser is null", who));
  }

  std::vector<std::int64_t> extended_extents(at::IntArrayRef spatial) const override {
    return inner_->extended_extents(spatial);
  }
  std::optional<std::int64_t> reach() const override { return inner_->reach(); }
  std::int64_t alignment() const override { return inner_->alignment(); }
  std::int64_t minimum_extent() const override { return inner_->minimum_extent(); }
  bool follows_level() const override { return inner_->follows_level(); }
  bool is_trainable() const override { return inner_->is_trainable(); }
  Communicator& communicator() const override { return inner_->communicator(); }
  const ImageSpace& space() const override { return inner_->space(); }
  std::optional<double> memory_estimate(at::IntArrayRef shape) const override {
    return inner_->memory_estimate(shape);
  }

 protected:
  const Denoiser& inner() const { return *inner_; }

 private:
  DenoiserPtr inner_;
};

class ScaledDenoiser final : public AdaptedDenoiser {
 public:
  ScaledDenoiser(DenoiserPtr inner, double low, double high)
      : AdaptedDenoiser(std::move(inner), "scaled"), low_(low), range_(high - low) {
    if (!(low < high) || !std::isfinite(range_)) {
      throw error::InvalidArgument(formatted(
          "scaled: the range is {} to {}, expected finite numbers, low < high", low, high));
    }
  }
  std::string name() const override {
    return formatted("scaled({}, {} to {})", inner().name(), low_, low_ + range_);
  }

 private:
  Tensor do_denoise(const Tensor& x, const NoiseLevel& sigma) const override {
    const Tensor unit = (x - low_) / range_;
    return inner().denoise_window(unit, sigma.scaled(1 / range_)) * range_ + low_;
  }

  double low_;
  double range_;
};

class ChannelwiseDenoiser final : public AdaptedDenoiser {
 public:
  explicit ChannelwiseDenoiser(DenoiserPtr inner)
      : AdaptedDenoiser(std::move(inner), "channelwise") {}
  std::string name() const override { return formatted("channelwise({})", inner().name()); }
  std::optional<double> memory_estimate(at::IntArrayRef shape) const override {
    return inner().memory_estimate(as_images(shape));
  }

 private:
  static std::vector<std::int64_t> as_images(at::IntArrayRef shape) {
    std::vector<std::int64_t> images = shape.vec();
    images[0] *= images[1];
    images[1] = 1;
    return images;
  }
  Tensor do_denoise(const Tensor& x, const NoiseLevel& sigma) const override {
    const Tensor images = x.reshape(as_images(x.sizes()));
    return inner().denoise_window(images, sigma.repeated(x.size(1))).view(x.sizes());
  }
};

class Float32Denoiser final : public AdaptedDenoiser {
 public:
  explicit Float32Denoiser(DenoiserPtr inner) : AdaptedDenoiser(std::move(inner), "in_float32") {}

  std::string name() const override { return formatted("in_float32({})", inner().name()); }

 private:
  Tensor do_denoise(const Tensor& x, const NoiseLevel& sigma) const override {
    return inner().denoise_window(x.to(at::kFloat), sigma).to(x.scalar_type());
  }
};

}  // namespace detail

inline DenoiserPtr scaled(DenoiserPtr denoiser, double low, double high) {
  return std::make_shared<detail::ScaledDenoiser>(std::move(denoiser), low, high);
}

inline DenoiserPtr channelwise(DenoiserPtr denoiser) {
  return std::make_shared<detail::ChannelwiseDenoiser>(std::move(denoiser));
}

inline DenoiserPtr in_float32(DenoiserPtr denoiser) {
  return std::make_shared<detail::Float32Denoiser>(std::move(denoiser));
}

}  // namespace tessera
