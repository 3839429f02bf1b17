// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>

#include "image.hpp"
#include "weights.hpp"

namespace tessera::engine {

/// Input channels that one pass of the register block takes: 16 output channels of them are 16 KB
/// of weights, half of the first cache. Tiles of six amplify the rounding of a sum, which grows
/// with the root of its length: shorter partial sums keep a layer's error below 4e-6.
constexpr std::int64_t product_depth(std::int64_t tile) {
  return tile == 4 ? 256 : 64;
}

/// Tiles that a register block takes at most, on any instruction set.
inline constexpr std::int64_t tile_group = 6;

/// Planes of a volume that products take together: each weight that they read then serves that many
/// tiles at each position.
constexpr std::int64_t planes_at_once(std::int64_t kernel_planes) {
  return kernel_planes == 1 ? 1 : 6;
}

/// The scratch memory of a block of tiles: transformed pixels v[point][group of 6 tiles][16
/// channels][tile of the group][channel of the 16], the order in which products read them, so that
/// they are one stream; and products m[tile][point][panel_width]. Of volumes, v is a ring: it holds
/// the planes that are worked on and their two neighbours, each at the place of its number modulo
/// the number of places. The strides of points and of
/// tiles are a cache line more than the data: the streams of the transforms would otherwise fall
/// into the same few places of the first cache.
struct TileScratch {
  std::int64_t channels;
  std::int64_t places;
  std::int64_t place_tiles;
  std::int64_t point_stride;
  std::int64_t tile_stride;
  float* v;
  float* m;

  TileScratch(float* scratch, std::int64_t count, const WinogradWeights& weights)
      : channels(weights.in_channels),
        places(plane_places(weights)),
        place_tiles(round_up(count, tile_group)),
        point_stride(v_floats(count, weights)),
        tile_stride(m_floats(weights)),
        v(scratch),
        m(scratch + tile_points(weights.tile) * point_stride + channel_block) {}

  /// From 16 channels to the next 16 of the same tile.
  static constexpr std::int64_t chunk_floats = tile_group * channel_block;
  /// The first channel of tile t of a plane, at point 0.
  float* tile(std::int64_t plane, std::int64_t t) const {
    const std::int64_t group = plane % places * place_tiles + t / tile_group * tile_group;
    return v + group * channels + t % tile_group * channel_block;
  }

  static std::int64_t floats(std::int64_t count, const WinogradWeights& weights) {
    return tile_points(weights.tile) * v_floats(count, weights) + channel_block +
           planes_at_once(weights.planes) * count * m_floats(weights);
  }

 private:
  static std::int64_t plane_places(const WinogradWeights& weights) {
    return planes_at_once(weights.planes) + weights.planes - 1;
  }
  static std::int64_t v_floats(std::int64_t count, const WinogradWeights& weights) {
    return plane_places(weights) * round_up(count, tile_group) * weights.in_channels +
           channel_block;
  }
  static std::int64_t m_floats(const WinogradWeights& weights) {
    return tile_points(weights.tile) * panel_width + channel_block;
  }
};

}  // namespace tessera::engine
