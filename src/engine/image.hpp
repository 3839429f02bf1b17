// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>

namespace tessera::engine {

/// Channels are stored in blocks of this many floats; what an image lacks is filled with zero
/// channels.
inline constexpr std::int64_t channel_block = 16;

/// The smallest multiple of `step` that is at least `count`.
constexpr std::int64_t round_up(std::int64_t count, std::int64_t step) {
  return (count + step - 1) / step * step;
}

constexpr std::int64_t padded_channels(std::int64_t channels) {
  return round_up(channels, channel_block);
}

/// Floats from one row to the next. Rows are a whole number of 4 KB pages only by accident: the six
/// rows a tile reads would then compete for the same places in the first cache.
constexpr std::int64_t padded_row(std::int64_t width, std::int64_t channels) {
  const std::int64_t floats = width * channels;
  return floats % 1024 == 0 ? floats + channel_block : floats;
}

/// Extents of an image, or of a volume: planes that are images.
struct Size {
  std::int64_t height = 0;
  std::int64_t width = 0;
  std::int64_t depth = 1;
};

/// A view of one image or volume, channels last, float32; `channels` is a multiple of
/// channel_block.
struct Image {
  float* data = nullptr;
  std::int64_t height = 0;
  std::int64_t width = 0;
  std::int64_t channels = 0;
  std::int64_t row_stride = 0;  ///< in floats
  std::int64_t ring = 0;        ///< rows kept: row y lies where row y - ring lay; 0: all are kept
  std::int64_t depth = 1;
  std::int64_t plane_stride = 0;  ///< in floats

  /// Of the first plane.
  float* row(std::int64_t y) const { return data + (ring != 0 ? y % ring : y) * row_stride; }
  /// Plane z, an image.
  Image plane(std::int64_t z) const {
    Image image = *this;
    image.data += z * plane_stride;
    image.depth = 1;
    return image;
  }
};

/// Floats that a plane (or a ring of `rows` rows of it) occupies.
constexpr std::int64_t image_floats(std::int64_t rows, std::int64_t width, std::int64_t channels) {
  return rows * padded_row(width, channels);
}

inline Image image_at(float* data, const Size& size, std::int64_t channels) {
  return {data,
          size.height,
          size.width,
          channels,
          padded_row(size.width, channels),
          0,
          size.depth,
          image_floats(size.height, size.width, channels)};
}

}  // namespace tessera::engine
