#pragma once

#include <cstdint>

#include "image.hpp"
#include "weights.hpp"

namespace tessera::engine {

/// Input channels that one pass of the register block takes: 16 output channels of them are 16 KB
/// of weights, half of the first cache.
inline constexpr std::int64_t kDepth = 256;

/// Products fetch a cache line ahead every so many input channels.
inline constexpr std::int64_t kFetchEvery = 8;

/// Tiles that a register block takes at most, on any instruction set.
inline constexpr std::int64_t kTileGroup = 6;

/// The scratch memory of a block of tiles: transformed pixels v[point][group of 6 tiles][16
/// channels][tile of the group][channel of the 16], the order in which products read them, so that
/// they are one stream; and products m[tile][point][kPanel]. The strides of points and of tiles are
/// a cache line more than the data: the streams of the transforms would otherwise fall into the
/// same few places of the first cache.
struct TileScratch {
  std::int64_t channels;
  std::int64_t point_stride;
  std::int64_t tile_stride = kPoints * kPanel + kChannelBlock;
  float* v;
  float* m;

  TileScratch(float* scratch, std::int64_t count, std::int64_t in_channels)
      : channels(in_channels),
        point_stride(v_floats(count, in_channels)),
        v(scratch),
        m(scratch + kPoints * point_stride + kChannelBlock) {}

  /// From 16 channels to the next 16 of the same tile.
  static constexpr std::int64_t kChunk = kTileGroup * kChannelBlock;
  /// The first channel of a tile, at point 0.
  float* tile(std::int64_t t) const {
    return v + t / kTileGroup * kTileGroup * channels + t % kTileGroup * kChannelBlock;
  }

  static constexpr std::int64_t v_floats(std::int64_t count, std::int64_t in_channels) {
    return round_up(count, kTileGroup) * in_channels + kChannelBlock;
  }
  static constexpr std::int64_t floats(std::int64_t count, std::int64_t in_channels) {
    return kPoints * v_floats(count, in_channels) + kChannelBlock +
           count * (kPoints * kPanel + kChannelBlock);
  }
};

}  // namespace tessera::engine
