#include "convolution.hpp"

#include <ATen/Parallel.h>

#include <algorithm>
#include <vector>

namespace tessera::engine {

namespace {

/// Tiles per register block; blocks of tiles are whole multiples of it.
constexpr std::int64_t kQuantum = 6;

/// Tiles whose transformed pixels are worked on together: few enough for the second cache, many
/// enough that the weights, which every block reads from the third one, are not its limit.
std::int64_t tiles_per_block(std::int64_t channels) {
  if (channels <= 64) return 18;
  if (channels <= 128) return 12;
  if (channels <= 256) return 12;
  return 42;
}

/// Tiles of rows [first, last) that belong to lane `lane`: a range of columns, or, where there are
/// few columns, a range of all tiles in row order.
std::vector<Tile> tiles_of_lane(const Image& image, std::int64_t first, std::int64_t last,
                                std::int64_t lane, std::int64_t lanes) {
  const std::int64_t columns = (image.width + kTile - 1) / kTile;
  std::vector<Tile> tiles;
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

/// One lane's share of rows [first, last) of tiles, in blocks of nearly equal size.
void convolve_lane(const Convolution& work, std::int64_t first, std::int64_t last,
                   std::int64_t lane, const Lanes& lanes) {
  const std::vector<Tile> tiles = tiles_of_lane(work.in, first, last, lane, lanes.count);
  const auto count = static_cast<std::int64_t>(tiles.size());
  const std::int64_t quanta = (count + kQuantum - 1) / kQuantum;
  const std::int64_t limit = tiles_per_block(work.in.channels);
  const std::int64_t blocks = (quanta * kQuantum + limit - 1) / limit;
  const auto border = [&](std::int64_t index) {
    return std::min(count, quanta * index / blocks * kQuantum);
  };
  for (std::int64_t index = 0; index < blocks; ++index) {
    TileBlock block;
    block.convolution = &work;
    block.tiles = tiles.data() + border(index);
    block.count = border(index + 1) - border(index);
    if (index + 1 < blocks) {
      block.next_tiles = tiles.data() + border(index + 1);
      block.next_count = border(index + 2) - border(index + 1);
    }
    convolve_tiles(block, lanes.lane(lane));
  }
}

void convolve_rows(const Convolution& work, std::int64_t first, std::int64_t last,
                   const Lanes& lanes) {
  if (first >= last) return;
  at::parallel_for(0, lanes.count, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t lane = begin; lane < end; ++lane) {
      convolve_lane(work, first, last, lane, lanes);
    }
  });
}

std::int64_t tile_rows(std::int64_t height) {
  return (height + kTile - 1) / kTile;
}

/// Tile rows per strip of a pair: all of a small image, else what keeps the ring within a few
/// megabytes.
std::int64_t strip_rows(std::int64_t height, std::int64_t width, std::int64_t channels) {
  constexpr std::int64_t kSmall = 5 << 20;  // floats
  constexpr std::int64_t kRing = 1 << 20;   // floats
  if (image_floats(height, width, channels) <= kSmall) return tile_rows(height);
  const std::int64_t rows = kRing / image_floats(kTile, width, channels);
  return std::clamp<std::int64_t>(rows - 2, 2, tile_rows(height));
}

}  // namespace

std::int64_t convolution_scratch(std::int64_t in_channels) {
  return tile_scratch(tiles_per_block(in_channels), in_channels);
}

void convolve(const Convolution& work, const Lanes& lanes) {
  convolve_rows(work, 0, tile_rows(work.in.height), lanes);
}

std::int64_t ring_rows(std::int64_t height, std::int64_t width, std::int64_t channels) {
  const std::int64_t strip = strip_rows(height, width, channels);
  return std::min(height, strip == tile_rows(height) ? height : (strip + 2) * kTile);
}

void convolve_pair(ConvolutionPair pair, float* between, const Lanes& lanes) {
  const Image& in = pair.first.in;
  const std::int64_t channels = pair.first.weights->out_channels;
  Image ring = image_at(between, in.height, in.width, channels);
  const std::int64_t kept = ring_rows(in.height, in.width, channels);
  ring.ring = kept < in.height ? kept : 0;
  pair.first.out = ring;
  pair.second.in = ring;

  const std::int64_t rows = tile_rows(in.height);
  const std::int64_t strip = strip_rows(in.height, in.width, channels);
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
