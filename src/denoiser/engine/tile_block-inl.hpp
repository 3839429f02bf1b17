// A block of tiles through a 3x3 convolution: input transform, one product per point, output
// transform. Included once per instruction set.

#if defined(TESSERA_ENGINE_TILE_BLOCK_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef TESSERA_ENGINE_TILE_BLOCK_INL_HPP
#undef TESSERA_ENGINE_TILE_BLOCK_INL_HPP
#else
#define TESSERA_ENGINE_TILE_BLOCK_INL_HPP
#endif

#include "prefetch.hpp"
#include "register_block-inl.hpp"
#include "tile_scratch.hpp"
#include "transform-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace tessera::engine::HWY_NAMESPACE {

// Where channel c of a tile lies among its transformed pixels.
HWY_INLINE std::int64_t channel_offset(std::int64_t c) {
  return c / kChannelBlock * TileScratch::kChunk + c % kChannelBlock;
}

// The transformed pixels of a tile: zero outside the image.
inline void transform_tile(const Image& in, const Tile& tile, float* v, std::int64_t point) {
  const std::int64_t y = tile.row * kTile - 1;
  const std::int64_t x = tile.column * kTile - 1;
  const float* rows[kTileInput];
  if (y >= 0 && x >= 0 && y + kTileInput <= in.height && x + kTileInput <= in.width) {
    for (std::int64_t i = 0; i < kTileInput; ++i) rows[i] = in.row(y + i) + x * in.channels;
    for (std::int64_t c = 0; c < in.channels; c += kLanes) {
      input_transform(rows, in.channels, c, v + channel_offset(c), point);
    }
    return;
  }
  alignas(64) float border[kTileInput][kTileInput][kLanes];
  for (std::int64_t i = 0; i < kTileInput; ++i) rows[i] = border[i][0];
  for (std::int64_t c = 0; c < in.channels; c += kLanes) {
    for (std::int64_t i = 0; i < kTileInput; ++i) {
      const bool row_inside = y + i >= 0 && y + i < in.height;
      for (std::int64_t j = 0; j < kTileInput; ++j) {
        const bool inside = row_inside && x + j >= 0 && x + j < in.width;
        hn::Store(inside ? hn::LoadU(kFloats, in.row(y + i) + (x + j) * in.channels + c)
                         : hn::Zero(kFloats),
                  kFloats, border[i][j]);
      }
    }
    input_transform(rows, kLanes, 0, v + channel_offset(c), point);
  }
}

// Stores the output pixels of a tile for `channels` channels from `first` on.
template <Epilogue kEpilogue, bool kBias>
void finish_tile(const Convolution& work, const Tile& tile, const float* m, std::int64_t first,
                 std::int64_t channels) {
  const Image& out = work.out;
  const Image& residual = kEpilogue == Epilogue::add ? work.residual : out;
  const std::int64_t y = tile.row * kTile;
  const std::int64_t x = tile.column * kTile;
  const std::int64_t high = std::min(kTile, out.height - y);
  const std::int64_t wide = std::min(kTile, out.width - x);
  const float* bias = kBias ? work.weights->bias.data() + first : kZeros;

  TileOutput to{};
  to.pixel = out.channels;
  to.residual_pixel = residual.channels;
  for (std::int64_t i = 0; i < high; ++i) {
    to.rows[i] = out.row(y + i) + x * out.channels + first;
    to.residual_rows[i] = residual.row(y + i) + x * residual.channels + first;
  }
  if (high == kTile && wide == kTile) {
    for (std::int64_t c = 0; c < channels; c += kLanes) {
      output_transform<kEpilogue, kBias>(m + c, kPanel, bias + c, to, c);
    }
    return;
  }
  alignas(64) float border[kTile][kTile][kLanes];
  TileOutput whole{};
  whole.pixel = kLanes;
  for (std::int64_t i = 0; i < kTile; ++i) {
    whole.rows[i] = border[i][0];
    whole.residual_rows[i] = border[i][0];
  }
  for (std::int64_t c = 0; c < channels; c += kLanes) {
    output_transform<Epilogue::none, false>(m + c, kPanel, kZeros, whole, 0);
    for (std::int64_t i = 0; i < high; ++i) {
      for (std::int64_t j = 0; j < wide; ++j) {
        finish<kEpilogue, kBias>(hn::Load(kFloats, border[i][j]), bias + c,
                                 to.residual_rows[i] + j * to.residual_pixel + c,
                                 to.rows[i] + j * to.pixel + c);
      }
    }
  }
}

using FinishFunction = void (*)(const Convolution&, const Tile&, const float*, std::int64_t,
                                std::int64_t);

inline FinishFunction finish_for(Epilogue epilogue, bool bias) {
  switch (epilogue) {
    case Epilogue::relu:
      return bias ? &finish_tile<Epilogue::relu, true> : &finish_tile<Epilogue::relu, false>;
    case Epilogue::add:
      return bias ? &finish_tile<Epilogue::add, true> : &finish_tile<Epilogue::add, false>;
    default:
      return bias ? &finish_tile<Epilogue::none, true> : &finish_tile<Epilogue::none, false>;
  }
}

// The pixels that the next block reads and those that it writes or adds to.
inline PrefetchList next_pixels(const TileBlock& block) {
  PrefetchList list;
  const Image& in = block.convolution->in;
  const Image& out = block.convolution->epilogue == Epilogue::add ? block.convolution->residual
                                                                  : block.convolution->out;
  const auto add_rows = [&list](const Image& image, std::int64_t y, std::int64_t rows,
                                std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = std::max<std::int64_t>(y, 0); i < std::min(y + rows, image.height); ++i) {
      list.add(image.row(i) + begin * image.channels,
               (end - begin) * image.channels * static_cast<std::int64_t>(sizeof(float)));
    }
  };
  for (std::int64_t t = 0; t < block.next_count;) {
    const Tile& tile = block.next_tiles[t];
    std::int64_t run = 1;
    while (t + run < block.next_count && block.next_tiles[t + run].row == tile.row) ++run;
    const std::int64_t x = tile.column * kTile;
    add_rows(in, tile.row * kTile - 1, kTileInput, std::max<std::int64_t>(x - 1, 0),
             std::min(x + run * kTile + 1, in.width));
    add_rows(out, tile.row * kTile, kTile, x, std::min(x + run * kTile, out.width));
    t += run;
  }
  return list;
}

// m[t][point][0 .. 16 blocks) = v[point][t][:] * weights[point] for all tiles t of the block.
inline void multiply_panel(const TileScratch& s, const WinogradWeights& weights, std::int64_t count,
                           std::int64_t panel, std::int64_t blocks, PrefetchList& fetch) {
  const std::int64_t depth = weights.in_channels;
  const bool ahead = depth >= 256;
  RegisterBlock block{};
  block.a_stride = kChannelBlock;
  block.a_chunk = TileScratch::kChunk;
  block.b_stride = depth * kChannelBlock;
  block.out_stride = s.tile_stride;
  block.floor = -std::numeric_limits<float>::infinity();
  const float* b = weights.values.data() + kPoints * depth * panel;
  for (std::int64_t point = 0; point < kPoints; ++point) {
    for (std::int64_t n = 0; n < blocks; n += kBlockColumns) {
      const std::int64_t wide = std::min<std::int64_t>(kBlockColumns, blocks - n);
      for (std::int64_t k = 0; k < depth; k += kDepth) {
        block.depth = std::min(kDepth, depth - k);
        block.b = b + ((point * blocks + n) * depth + k) * kChannelBlock;
        block.ahead = reinterpret_cast<const char*>(block.b + block.depth * kChannelBlock);
        for (std::int64_t t = 0; t < count; t += kBlockRows) {
          block.a = s.tile(t) + point * s.point_stride + channel_offset(k);
          block.out = s.m + t * s.tile_stride + point * kPanel + n * kChannelBlock;
          block.initial = k == 0 ? kZeros : block.out;
          block.initial_stride = k == 0 ? 0 : s.tile_stride;
          const char* line = fetch.next();
          block.fetch = line != nullptr ? Fetch{line, PrefetchList::kLine}
                                        : Fetch{reinterpret_cast<const char*>(block.b), 0};
          const std::int64_t high = std::min<std::int64_t>(kBlockRows, count - t);
          (ahead ? register_block_for<true> : register_block_for<false>)(high, wide)(block);
          block.ahead += block.depth / kFetchEvery * 2 * PrefetchList::kLine;
        }
      }
    }
  }
}

static_assert(kTileGroup % kBlockRows == 0, "a register block stays within a group of tiles");

inline void convolve_block(const TileBlock& block, float* scratch) {
  const Convolution& work = *block.convolution;
  const WinogradWeights& weights = *work.weights;
  const TileScratch s(scratch, block.count, weights.in_channels);
  for (std::int64_t t = 0; t < block.count; ++t) {
    transform_tile(work.in, block.tiles[t], s.tile(t), s.point_stride);
  }

  PrefetchList fetch = next_pixels(block);
  const std::int64_t depth = std::min(weights.in_channels, kDepth);
  const std::int64_t calls = (block.count + kBlockRows - 1) / kBlockRows * kPoints *
                             (weights.out_channels / kChannelBlock + kBlockColumns - 1) /
                             kBlockColumns * (weights.in_channels / depth);
  fetch.pace(calls, depth / kFetchEvery);

  const FinishFunction finish = finish_for(work.epilogue, !weights.bias.empty());
  for (std::int64_t panel = 0; panel < weights.out_channels; panel += kPanel) {
    const std::int64_t channels = std::min(kPanel, weights.out_channels - panel);
    multiply_panel(s, weights, block.count, panel, channels / kChannelBlock, fetch);
    for (std::int64_t t = 0; t < block.count; ++t) {
      finish(work, block.tiles[t], s.m + t * s.tile_stride, panel, channels);
    }
  }
}

}  // namespace tessera::engine::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
