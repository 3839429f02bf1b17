// SPDX-License-Identifier: BSD-3-Clause
#include "convolution.hpp"

#include <ATen/Parallel.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <deque>
#include <utility>
#include <vector>

namespace tessera::engine {

namespace {

/// Tiles per register block; blocks of tiles are whole multiples of it.
constexpr std::int64_t quantum = 6;

/// Whether a core's second cache has 1 MB or more; false where the system does not say.
bool has_large_cache() {
#ifdef _SC_LEVEL2_CACHE_SIZE
  static const bool is_large = sysconf(_SC_LEVEL2_CACHE_SIZE) >= 1 << 20;
  return is_large;
#else
  return false;
#endif
}

/// Tiles whose transformed pixels are worked on together: few enough for the second cache, many
/// enough that the weights, which every block reads from the third one or from memory, are not its
/// limit. Measured: see docs/reference/performance.md. Of volumes, tiles of one plane.
std::int64_t tiles_per_block(const WinogradWeights& weights) {
  if (weights.planes > 1) return quantum;
  const std::int64_t channels = weights.in_channels;
  if (weights.tile == 6) return channels > 128 ? 36 : has_large_cache() ? 18 : 12;
  if (channels <= 128) return 18;
  return channels <= 256 ? 24 : 36;
}

std::int64_t tile_count(std::int64_t extent, std::int64_t tile) {
  return (extent + tile - 1) / tile;
}

/// Tiles of rows [first, last) that belong to lane `lane`: a range of columns, or, where there are
/// few columns, a range of all tiles in row order.
std::vector<TilePosition> tiles_of_lane(const Convolution& work, std::int64_t first,
                                        std::int64_t last, std::int64_t lane, std::int64_t lanes) {
  const std::int64_t columns = tile_count(work.in.width, work.weights->tile);
  std::vector<TilePosition> tiles;
  if (columns >= 4 * lanes) {
    for (std::int64_t row = first; row < last; ++row) {
      // The remainder of columns / lanes goes to another lane in every row.
      const std::int64_t shift = row % lanes;
      const std::int64_t begin = lane == 0 ? 0 : (columns * lane + shift) / lanes;
      const std::int64_t end = lane + 1 == lanes ? columns : (columns * (lane + 1) + shift) / lanes;
      for (std::int64_t column = begin; column < end; ++column) {
        tiles.push_back({static_cast<std::int32_t>(row), static_cast<std::int32_t>(column)});
      }
    }
    return tiles;
  }
  const std::int64_t count = (last - first) * columns;
  for (std::int64_t i = count * lane / lanes; i < count * (lane + 1) / lanes; ++i) {
    tiles.push_back(
        {static_cast<std::int32_t>(first + i / columns), static_cast<std::int32_t>(i % columns)});
  }
  return tiles;
}

/// One lane's tiles of planes [first_plane, last_plane), in blocks of nearly equal size that are
/// handed out in order: to the lane itself and, when it lags behind, to others.
class Share {
 public:
  Share(const Convolution& work, std::vector<TilePosition> tiles, std::int64_t first_plane,
        std::int64_t last_plane)
      : work_(work), tiles_(std::move(tiles)), first_plane_(first_plane), last_plane_(last_plane) {
    const std::int64_t limit = tiles_per_block(*work.weights);
    quanta_ = (count() + quantum - 1) / quantum;
    blocks_ = (quanta_ * quantum + limit - 1) / limit;
  }

  /// Computes the next block with this scratch memory; false if none is left.
  bool advance(float* scratch) {
    const std::int64_t index = next_.fetch_add(1, std::memory_order_relaxed);
    if (index >= blocks_) return false;
    TileBlock block;
    block.convolution = &work_;
    block.tiles = tiles_.data() + border(index);
    block.count = border(index + 1) - border(index);
    block.first_plane = first_plane_;
    block.last_plane = last_plane_;
    if (index + 1 < blocks_) {
      block.next_tiles = tiles_.data() + border(index + 1);
      block.next_count = border(index + 2) - border(index + 1);
    }
    convolve_tiles(block, scratch);
    return true;
  }

 private:
  std::int64_t count() const { return static_cast<std::int64_t>(tiles_.size()); }
  std::int64_t border(std::int64_t index) const {
    return std::min(count(), quanta_ * index / blocks_ * quantum);
  }

  const Convolution& work_;
  std::vector<TilePosition> tiles_;
  std::int64_t first_plane_;
  std::int64_t last_plane_;
  std::int64_t quanta_ = 0;
  std::int64_t blocks_ = 0;
  std::atomic<std::int64_t> next_{0};
};

/// Tile rows [first, last) of all planes. A lane has a range of planes or, where there are few,
/// some tiles of all of them. Lanes that are done early help the others; who computes a tile does
/// not change its result.
void convolve_rows(const Convolution& work, std::int64_t first, std::int64_t last,
                   const Lanes& lanes) {
  if (first >= last) return;
  std::deque<Share> shares;
  const std::int64_t depth = work.in.depth;
  const bool by_planes = depth > 1 && depth >= lanes.count;
  for (std::int64_t lane = 0; lane < lanes.count; ++lane) {
    if (by_planes) {
      shares.emplace_back(work, tiles_of_lane(work, first, last, 0, 1), depth * lane / lanes.count,
                          depth * (lane + 1) / lanes.count);
    } else {
      shares.emplace_back(work, tiles_of_lane(work, first, last, lane, lanes.count), 0, depth);
    }
  }
  at::parallel_for(0, lanes.count, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t lane = begin; lane < end; ++lane) {
      for (std::int64_t i = 0; i < lanes.count; ++i) {
        Share& share = shares[static_cast<std::size_t>((lane + i) % lanes.count)];
        while (share.advance(lanes.lane(lane))) {
        }
      }
    }
  });
}

/// Tile rows per strip of a pair: all of a small image, else what keeps the ring within a few
/// megabytes.
std::int64_t strip_rows(const Size& size, const WinogradWeights& first) {
  constexpr std::int64_t small_floats = 5 << 20;  // floats
  constexpr std::int64_t ring_floats = 2 << 20;   // floats
  const std::int64_t all = tile_count(size.height, first.tile);
  const std::int64_t row = size.depth * image_floats(1, size.width, first.out_channels);
  if (size.height * row <= small_floats) return all;
  const std::int64_t rows = ring_floats / (first.tile * row);
  return std::clamp<std::int64_t>(rows - 2, 2, all);
}

}  // namespace

std::int64_t convolution_scratch(const WinogradWeights& weights) {
  return tile_scratch(tiles_per_block(weights), weights);
}

void convolve(const Convolution& work, const Lanes& lanes) {
  convolve_rows(work, 0, tile_count(work.in.height, work.weights->tile), lanes);
}

std::int64_t ring_rows(const Size& size, const WinogradWeights& first) {
  const std::int64_t strip = strip_rows(size, first);
  const bool all = strip == tile_count(size.height, first.tile);
  return all ? size.height : std::min(size.height, (strip + 2) * first.tile);
}

void convolve_pair(ConvolutionPair pair, float* between, const Lanes& lanes) {
  const Image& in = pair.first.in;
  const WinogradWeights& weights = *pair.first.weights;
  const Size size{in.height, in.width, in.depth};
  const std::int64_t kept = ring_rows(size, weights);
  Image ring = image_at(between, size, weights.out_channels);
  ring.ring = kept < in.height ? kept : 0;
  ring.plane_stride = image_floats(kept, in.width, weights.out_channels);
  pair.first.out = ring;
  pair.second.in = ring;

  const std::int64_t rows = tile_count(in.height, weights.tile);
  const std::int64_t strip = strip_rows(size, weights);
  std::int64_t done = 0;  // tile rows of the second convolution
  for (std::int64_t first = 0; first < rows; first += strip) {
    const std::int64_t last = std::min(rows, first + strip);
    convolve_rows(pair.first, first, last, lanes);
    // The second one needs a row of pixels below its tiles, and must leave alone the row that the
    // next strip of the first one reads above its own.
    const std::int64_t ready = last == rows ? rows : last - 1;
    convolve_rows(pair.second, done, ready, lanes);
    done = ready;
  }
}

}  // namespace tessera::engine
