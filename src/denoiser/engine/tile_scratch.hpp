#pragma once

#include <cstdint>

#include "image.hpp"
#include "weights.hpp"

namespace tessera::engine {

/// Input channels that one pass of the register block takes: 16 output channels of them are 16 KB
/// of weights, half of the first cache.
inline constexpr std::int64_t kDepth = 256;

/// The scratch memory of a block of tiles: transformed pixels v[point][tile][input channel] and
/// products m[tile][point][kPanel]. Both strides are a cache line more than the data: the streams
/// of the transforms, one per point, would otherwise fall into the same few places of the first
/// cache.
struct TileScratch {
  std::int64_t point_stride;
  std::int64_t tile_stride = kPoints * kPanel + kChannelBlock;
  float* v;
  float* m;

  TileScratch(float* scratch, std::int64_t count, std::int64_t in_channels)
      : point_stride(count * in_channels + kChannelBlock),
        v(scratch),
        m(scratch + kPoints * point_stride + kChannelBlock) {}

  static constexpr std::int64_t floats(std::int64_t count, std::int64_t in_channels) {
    return kPoints * (count * in_channels + kChannelBlock) + kChannelBlock +
           count * (kPoints * kPanel + kChannelBlock);
  }
};

}  // namespace tessera::engine
