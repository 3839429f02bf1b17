// SPDX-License-Identifier: BSD-3-Clause
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
#include "transform6-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace tessera::engine::HWY_NAMESPACE {

// Where channel c of a tile lies among its transformed pixels.
HWY_INLINE std::int64_t channel_offset(std::int64_t c) {
  return c / kChannelBlock * TileScratch::kChunk + c % kChannelBlock;
}

template <std::int64_t kTile>
HWY_INLINE void input_transform(const float* const* rows, std::int64_t pixel, std::int64_t channel,
                                float* v, std::int64_t point) {
  if constexpr (kTile == 4) {
    f4::input_transform(rows, pixel, channel, v, point);
  } else {
    f6::input_transform(rows, pixel, channel, v, point);
  }
}

template <std::int64_t kTile, Epilogue kEpilogue, bool kBias>
HWY_INLINE void output_transform(const float* m, const float* bias, const TileOutput& to,
                                 std::int64_t channel) {
  if constexpr (kTile == 4) {
    f4::output_transform<kEpilogue, kBias>(m, kPanel, bias, to, channel);
  } else {
    f6::output_transform<kEpilogue, kBias>(m, kPanel, bias, to, channel);
  }
}

// The transformed pixels of a tile: zero outside the image.
template <std::int64_t kTile>
void transform_tile(const Image& in, const TilePosition& tile, float* v, std::int64_t point) {
  const std::int64_t y = tile.row * kTile - 1;
  const std::int64_t x = tile.column * kTile - 1;
  constexpr std::int64_t kTileInput = tile_input(kTile);
  const float* rows[kTileInput];
  if (y >= 0 && x >= 0 && y + kTileInput <= in.height && x + kTileInput <= in.width) {
    for (std::int64_t i = 0; i < kTileInput; ++i) rows[i] = in.row(y + i) + x * in.channels;
    for (std::int64_t c = 0; c < in.channels; c += kLanes) {
      input_transform<kTile>(rows, in.channels, c, v + channel_offset(c), point);
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
    input_transform<kTile>(rows, kLanes, 0, v + channel_offset(c), point);
  }
}

// Stores the output pixels of a tile for `channels` channels from `first` on.
template <std::int64_t kTile, Epilogue kEpilogue, bool kBias>
void finish_tile(const Convolution& work, const TilePosition& tile, const float* m,
                 std::int64_t first, std::int64_t channels) {
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
      output_transform<kTile, kEpilogue, kBias>(m + c, bias + c, to, c);
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
    output_transform<kTile, Epilogue::none, false>(m + c, kZeros, whole, 0);
    for (std::int64_t i = 0; i < high; ++i) {
      for (std::int64_t j = 0; j < wide; ++j) {
        finish<kEpilogue, kBias>(hn::Load(kFloats, border[i][j]), bias + c,
                                 to.residual_rows[i] + j * to.residual_pixel + c,
                                 to.rows[i] + j * to.pixel + c);
      }
    }
  }
}

using FinishFunction = void (*)(const Convolution&, const TilePosition&, const float*, std::int64_t,
                                std::int64_t);

template <std::int64_t kTile>
FinishFunction finish_for(Epilogue epilogue, bool bias) {
  switch (epilogue) {
    case Epilogue::relu:
      return bias ? &finish_tile<kTile, Epilogue::relu, true>
                  : &finish_tile<kTile, Epilogue::relu, false>;
    case Epilogue::add:
      return bias ? &finish_tile<kTile, Epilogue::add, true>
                  : &finish_tile<kTile, Epilogue::add, false>;
    default:
      return bias ? &finish_tile<kTile, Epilogue::none, true>
                  : &finish_tile<kTile, Epilogue::none, false>;
  }
}

// The pixels that the next block reads and those that it writes or adds to.
inline PrefetchList next_pixels(const TileBlock& block) {
  PrefetchList list;
  const std::int64_t tile_size = block.convolution->weights->tile;
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
    const TilePosition& tile = block.next_tiles[t];
    std::int64_t run = 1;
    while (t + run < block.next_count && block.next_tiles[t + run].row == tile.row) ++run;
    const std::int64_t x = tile.column * tile_size;
    add_rows(in, tile.row * tile_size - 1, tile_input(tile_size), std::max<std::int64_t>(x - 1, 0),
             std::min(x + run * tile_size + 1, in.width));
    add_rows(out, tile.row * tile_size, tile_size, x, std::min(x + run * tile_size, out.width));
    t += run;
  }
  return list;
}

inline RegisterBlockFunction product(bool fresh, bool ahead, std::int64_t rows,
                                     std::int64_t columns) {
  if (fresh) {
    return ahead ? register_block_for<Sums::fresh, true>(rows, columns)
                 : register_block_for<Sums::fresh, false>(rows, columns);
  }
  return ahead ? register_block_for<Sums::added, true>(rows, columns)
               : register_block_for<Sums::added, false>(rows, columns);
}

// m[t][point][0 .. 16 blocks) = v[point][t][:] * weights[point] for all tiles t of the block.
inline void multiply_panel(const TileScratch& s, const WinogradWeights& weights, std::int64_t count,
                           std::int64_t panel, std::int64_t blocks, PrefetchList& fetch) {
  const std::int64_t depth = weights.in_channels;
  const std::int64_t points = tile_points(weights.tile);
  const std::int64_t depth_at_once = product_depth(weights.tile);
  const bool ahead = depth >= 256;
  RegisterBlock block{};
  block.a_stride = kChannelBlock;
  block.a_chunk = TileScratch::kChunk;
  block.b_stride = depth * kChannelBlock;
  block.out_stride = s.tile_stride;
  const float* b = weights.values.data() + points * depth * panel;
  for (std::int64_t point = 0; point < points; ++point) {
    for (std::int64_t n = 0; n < blocks; n += kBlockColumns) {
      const std::int64_t wide = std::min<std::int64_t>(kBlockColumns, blocks - n);
      for (std::int64_t k = 0; k < depth; k += depth_at_once) {
        block.depth = std::min(depth_at_once, depth - k);
        block.b = b + ((point * blocks + n) * depth + k) * kChannelBlock;
        block.ahead = reinterpret_cast<const char*>(block.b + block.depth * kChannelBlock);
        for (std::int64_t t = 0; t < count; t += kBlockRows) {
          block.a = s.tile(t) + point * s.point_stride + channel_offset(k);
          block.out = s.m + t * s.tile_stride + point * kPanel + n * kChannelBlock;
          const char* line = fetch.next();
          block.fetch = line != nullptr ? Fetch{line, PrefetchList::kLine}
                                        : Fetch{reinterpret_cast<const char*>(block.b), 0};
          const std::int64_t high = std::min<std::int64_t>(kBlockRows, count - t);
          product(k == 0, ahead, high, wide)(block);
          block.ahead += block.depth / kFetchEvery * 2 * PrefetchList::kLine;
        }
      }
    }
  }
}

static_assert(kTileGroup % kBlockRows == 0, "a register block stays within a group of tiles");

template <std::int64_t kTile>
void convolve_block_of(const TileBlock& block, float* scratch) {
  const Convolution& work = *block.convolution;
  const WinogradWeights& weights = *work.weights;
  const TileScratch s(scratch, block.count, weights);
  for (std::int64_t t = 0; t < block.count; ++t) {
    transform_tile<kTile>(work.in, block.tiles[t], s.tile(t), s.point_stride);
  }

  PrefetchList fetch = next_pixels(block);
  const std::int64_t depth = std::min(weights.in_channels, product_depth(kTile));
  const std::int64_t calls = (block.count + kBlockRows - 1) / kBlockRows * tile_points(kTile) *
                             (weights.out_channels / kChannelBlock + kBlockColumns - 1) /
                             kBlockColumns * (weights.in_channels / depth);
  fetch.pace(calls, depth / kFetchEvery);

  const FinishFunction finish = finish_for<kTile>(work.epilogue, !weights.bias.empty());
  for (std::int64_t panel = 0; panel < weights.out_channels; panel += kPanel) {
    const std::int64_t channels = std::min(kPanel, weights.out_channels - panel);
    multiply_panel(s, weights, block.count, panel, channels / kChannelBlock, fetch);
    for (std::int64_t t = 0; t < block.count; ++t) {
      finish(work, block.tiles[t], s.m + t * s.tile_stride, panel, channels);
    }
  }
}

inline void convolve_block(const TileBlock& block, float* scratch) {
  if (block.convolution->weights->tile == 4) {
    convolve_block_of<4>(block, scratch);
  } else {
    convolve_block_of<6>(block, scratch);
  }
}

}  // namespace tessera::engine::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
