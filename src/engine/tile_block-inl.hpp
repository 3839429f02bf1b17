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
  return c / channel_block * TileScratch::chunk_floats + c % channel_block;
}

template <std::int64_t tile_extent>
HWY_INLINE void input_transform(const float* const* rows, std::int64_t pixel, std::int64_t channel,
                                float* v, std::int64_t point) {
  if constexpr (tile_extent == 4) {
    f4::input_transform(rows, pixel, channel, v, point);
  } else {
    f6::input_transform(rows, pixel, channel, v, point);
  }
}

template <std::int64_t tile_extent, Epilogue epilogue_kind, bool with_bias>
HWY_INLINE void output_transform(const float* m, const float* bias, const TileOutput& to,
                                 std::int64_t channel) {
  if constexpr (tile_extent == 4) {
    f4::output_transform<epilogue_kind, with_bias>(m, panel_width, bias, to, channel);
  } else {
    f6::output_transform<epilogue_kind, with_bias>(m, panel_width, bias, to, channel);
  }
}

// The transformed pixels of a tile: zero outside the image.
template <std::int64_t tile_extent>
void transform_tile(const Image& in, const TilePosition& tile, float* v, std::int64_t point) {
  const std::int64_t y = tile.row * tile_extent - 1;
  const std::int64_t x = tile.column * tile_extent - 1;
  constexpr std::int64_t input_size = tile_input(tile_extent);
  const float* rows[input_size];
  if (y >= 0 && x >= 0 && y + input_size <= in.height && x + input_size <= in.width) {
    for (std::int64_t i = 0; i < input_size; ++i) rows[i] = in.row(y + i) + x * in.channels;
    for (std::int64_t c = 0; c < in.channels; c += lane_count) {
      input_transform<tile_extent>(rows, in.channels, c, v + channel_offset(c), point);
    }
    return;
  }
  alignas(64) float border[input_size][input_size][lane_count];
  for (std::int64_t i = 0; i < input_size; ++i) rows[i] = border[i][0];
  for (std::int64_t c = 0; c < in.channels; c += lane_count) {
    for (std::int64_t i = 0; i < input_size; ++i) {
      const bool row_inside = y + i >= 0 && y + i < in.height;
      for (std::int64_t j = 0; j < input_size; ++j) {
        const bool inside = row_inside && x + j >= 0 && x + j < in.width;
        hn::Store(inside ? hn::LoadU(float_lanes, in.row(y + i) + (x + j) * in.channels + c)
                         : hn::Zero(float_lanes),
                  float_lanes, border[i][j]);
      }
    }
    input_transform<tile_extent>(rows, lane_count, 0, v + channel_offset(c), point);
  }
}

// Stores the output pixels of a tile for `channels` channels from `first` on.
template <std::int64_t tile_extent, Epilogue epilogue_kind, bool with_bias>
void finish_tile(const Convolution& work, const TilePosition& tile, const float* m,
                 std::int64_t first, std::int64_t channels) {
  const Image& out = work.out;
  const Image& residual = epilogue_kind == Epilogue::add ? work.residual : out;
  const std::int64_t y = tile.row * tile_extent;
  const std::int64_t x = tile.column * tile_extent;
  const std::int64_t high = std::min(tile_extent, out.height - y);
  const std::int64_t wide = std::min(tile_extent, out.width - x);
  const float* bias = with_bias ? work.weights->bias.data() + first : zero_panel;

  TileOutput to{};
  to.pixel = out.channels;
  to.residual_pixel = residual.channels;
  for (std::int64_t i = 0; i < high; ++i) {
    to.rows[i] = out.row(y + i) + x * out.channels + first;
    to.residual_rows[i] = residual.row(y + i) + x * residual.channels + first;
  }
  if (high == tile_extent && wide == tile_extent) {
    for (std::int64_t c = 0; c < channels; c += lane_count) {
      output_transform<tile_extent, epilogue_kind, with_bias>(m + c, bias + c, to, c);
    }
    return;
  }
  alignas(64) float border[tile_extent][tile_extent][lane_count];
  TileOutput whole{};
  whole.pixel = lane_count;
  for (std::int64_t i = 0; i < tile_extent; ++i) {
    whole.rows[i] = border[i][0];
    whole.residual_rows[i] = border[i][0];
  }
  for (std::int64_t c = 0; c < channels; c += lane_count) {
    output_transform<tile_extent, Epilogue::none, false>(m + c, zero_panel, whole, 0);
    for (std::int64_t i = 0; i < high; ++i) {
      for (std::int64_t j = 0; j < wide; ++j) {
        finish<epilogue_kind, with_bias>(hn::Load(float_lanes, border[i][j]), bias + c,
                                         to.residual_rows[i] + j * to.residual_pixel + c,
                                         to.rows[i] + j * to.pixel + c);
      }
    }
  }
}

using FinishFunction = void (*)(const Convolution&, const TilePosition&, const float*, std::int64_t,
                                std::int64_t);

template <std::int64_t tile_extent>
FinishFunction finish_for(Epilogue epilogue, bool bias) {
  switch (epilogue) {
    case Epilogue::relu:
      return bias ? &finish_tile<tile_extent, Epilogue::relu, true>
                  : &finish_tile<tile_extent, Epilogue::relu, false>;
    case Epilogue::add:
      return bias ? &finish_tile<tile_extent, Epilogue::add, true>
                  : &finish_tile<tile_extent, Epilogue::add, false>;
    default:
      return bias ? &finish_tile<tile_extent, Epilogue::none, true>
                  : &finish_tile<tile_extent, Epilogue::none, false>;
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
  block.a_stride = channel_block;
  block.a_chunk = TileScratch::chunk_floats;
  block.b_stride = depth * channel_block;
  block.out_stride = s.tile_stride;
  const float* b = weights.values.data() + points * depth * panel;
  for (std::int64_t point = 0; point < points; ++point) {
    for (std::int64_t n = 0; n < blocks; n += block_columns) {
      const std::int64_t wide = std::min<std::int64_t>(block_columns, blocks - n);
      for (std::int64_t k = 0; k < depth; k += depth_at_once) {
        block.depth = std::min(depth_at_once, depth - k);
        block.b = b + ((point * blocks + n) * depth + k) * channel_block;
        block.ahead = reinterpret_cast<const char*>(block.b + block.depth * channel_block);
        for (std::int64_t t = 0; t < count; t += block_rows) {
          block.a = s.tile(t) + point * s.point_stride + channel_offset(k);
          block.out = s.m + t * s.tile_stride + point * panel_width + n * channel_block;
          const char* line = fetch.next();
          block.fetch = line != nullptr ? Fetch{line, PrefetchList::line_bytes}
                                        : Fetch{reinterpret_cast<const char*>(block.b), 0};
          const std::int64_t high = std::min<std::int64_t>(block_rows, count - t);
          product(k == 0, ahead, high, wide)(block);
          block.ahead += block.depth / fetch_every * 2 * PrefetchList::line_bytes;
        }
      }
    }
  }
}

static_assert(tile_group % block_rows == 0, "a register block stays within a group of tiles");

template <std::int64_t tile_extent>
void convolve_block_of(const TileBlock& block, float* scratch) {
  const Convolution& work = *block.convolution;
  const WinogradWeights& weights = *work.weights;
  const TileScratch s(scratch, block.count, weights);
  for (std::int64_t t = 0; t < block.count; ++t) {
    transform_tile<tile_extent>(work.in, block.tiles[t], s.tile(t), s.point_stride);
  }

  PrefetchList fetch = next_pixels(block);
  const std::int64_t depth = std::min(weights.in_channels, product_depth(tile_extent));
  const std::int64_t calls = (block.count + block_rows - 1) / block_rows *
                             tile_points(tile_extent) *
                             (weights.out_channels / channel_block + block_columns - 1) /
                             block_columns * (weights.in_channels / depth);
  fetch.pace(calls, depth / fetch_every);

  const FinishFunction finish = finish_for<tile_extent>(work.epilogue, !weights.bias.empty());
  for (std::int64_t panel = 0; panel < weights.out_channels; panel += panel_width) {
    const std::int64_t channels = std::min(panel_width, weights.out_channels - panel);
    multiply_panel(s, weights, block.count, panel, channels / channel_block, fetch);
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
