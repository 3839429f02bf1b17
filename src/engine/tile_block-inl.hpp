// SPDX-License-Identifier: BSD-3-Clause
// A block of tiles through a 3x3 or 3x3x3 convolution: input transform, one product per point,
// output transform. Included once per instruction set.

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

// A cache line of channels of each pixel of a tile of six, which products may have driven out of
// the first caches.
HWY_INLINE void fetch_pixels(const float* const* rows, std::int64_t pixel, std::int64_t channel) {
  for (int i = 0; i < f6::input_size; ++i) {
    TESSERA_UNROLL
    for (int j = 0; j < f6::input_size; ++j) hwy::Prefetch(rows[i] + channel + j * pixel);
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
      if (tile_extent == 6 && c % channel_block == 0) {
        fetch_pixels(rows, in.channels, c + channel_block);
      }
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

// Planes [first, last).
struct PlaneRange {
  std::int64_t first;
  std::int64_t last;
};

inline Convolution plane_of(const Convolution& work, std::int64_t z) {
  Convolution plane = work;
  plane.in = work.in.plane(z);
  plane.out = work.out.plane(z);
  plane.residual = work.residual.plane(z);
  return plane;
}

// Adds the pixels that `count` tiles read and those that they write or add to, in one plane.
inline void add_pixels(PrefetchList& list, const Convolution& work, const TilePosition* tiles,
                       std::int64_t count, bool reads, bool writes) {
  const std::int64_t tile_size = work.weights->tile;
  const Image& in = work.in;
  const Image& out = work.epilogue == Epilogue::add ? work.residual : work.out;
  const auto add_rows = [&list](const Image& image, std::int64_t y, std::int64_t rows,
                                std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = std::max<std::int64_t>(y, 0); i < std::min(y + rows, image.height); ++i) {
      list.add(image.row(i) + begin * image.channels,
               (end - begin) * image.channels * static_cast<std::int64_t>(sizeof(float)));
    }
  };
  for (std::int64_t t = 0; t < count;) {
    const TilePosition& tile = tiles[t];
    std::int64_t run = 1;
    while (t + run < count && tiles[t + run].row == tile.row) ++run;
    const std::int64_t x = tile.column * tile_size;
    if (reads) {
      add_rows(in, tile.row * tile_size - 1, tile_input(tile_size),
               std::max<std::int64_t>(x - 1, 0), std::min(x + run * tile_size + 1, in.width));
    }
    if (writes) {
      add_rows(out, tile.row * tile_size, tile_size, x, std::min(x + run * tile_size, out.width));
    }
    t += run;
  }
}

// The planes of a block, in parts whose products are computed together.
class PlaneParts {
 public:
  explicit PlaneParts(const TileBlock& block)
      : first_(block.first_plane),
        count_(block.last_plane - block.first_plane),
        depth_(block.convolution->in.depth),
        around_(block.convolution->weights->planes / 2) {
    const std::int64_t limit = planes_at_once(block.convolution->weights->planes);
    parts_ = (count_ + limit - 1) / limit;
  }

  std::int64_t size() const { return parts_; }
  PlaneRange written(std::int64_t part) const { return {border(part), border(part + 1)}; }
  // Those that the part sees and the parts before it did not.
  PlaneRange read_first(std::int64_t part) const {
    const std::int64_t first = part == 0 ? first_ - around_ : border(part) + around_;
    return {std::max<std::int64_t>(first, 0), std::min(border(part + 1) + around_, depth_)};
  }

 private:
  std::int64_t border(std::int64_t part) const { return first_ + count_ * part / parts_; }

  std::int64_t first_;
  std::int64_t count_;
  std::int64_t depth_;
  std::int64_t around_;
  std::int64_t parts_;
};

// The pixels that the part after this one reads and writes: of this block or of the next one.
inline PrefetchList next_pixels(const TileBlock& block, const PlaneParts& parts,
                                std::int64_t part) {
  PrefetchList list;
  const bool same = part + 1 < parts.size();
  const std::int64_t next = same ? part + 1 : 0;
  const TilePosition* tiles = same ? block.tiles : block.next_tiles;
  const std::int64_t count = same ? block.count : block.next_count;
  const PlaneRange read = parts.read_first(next);
  const PlaneRange written = parts.written(next);
  for (std::int64_t z = std::min(read.first, written.first); z < read.last; ++z) {
    add_pixels(list, plane_of(*block.convolution, z), tiles, count, z >= read.first,
               z >= written.first && z < written.last);
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

// m[z][t][point][0 .. 16 blocks) = sum over the planes of the kernel of v[z + offset][point][t][:]
// * weights[point][plane of the kernel] for all tiles t of the block and planes z of `planes`. What
// lies outside the volume, `depth` planes, is zero and left out.
inline void multiply_panel(const TileScratch& s, const WinogradWeights& weights, std::int64_t count,
                           PlaneRange planes, std::int64_t depth, std::int64_t panel,
                           std::int64_t blocks, PrefetchList& fetch) {
  const std::int64_t channels = weights.in_channels;
  const std::int64_t rows = weights.planes * channels;
  const std::int64_t points = tile_points(weights.tile);
  const std::int64_t channels_at_once = product_depth(weights.tile);
  const bool ahead = rows >= 256;
  RegisterBlock block{};
  block.a_stride = channel_block;
  block.a_chunk = TileScratch::chunk_floats;
  block.b_stride = rows * channel_block;
  block.out_stride = s.tile_stride;
  const float* b = weights.values.data() + points * rows * panel;
  for (std::int64_t point = 0; point < points; ++point) {
    for (std::int64_t n = 0; n < blocks; n += block_columns) {
      const std::int64_t wide = std::min<std::int64_t>(block_columns, blocks - n);
      for (std::int64_t k = 0; k < rows; k += block.depth) {
        const std::int64_t channel = k % channels;
        const std::int64_t offset = kernel_plane_offset(k / channels);
        block.depth = std::min(channels_at_once, channels - channel);
        block.b = b + ((point * blocks + n) * rows + k) * channel_block;
        // The rows that follow in the same columns; after the last, the next columns or point.
        const bool is_last = k + block.depth >= rows;
        block.ahead = block.b + (is_last ? wide * rows - k : block.depth) * channel_block;
        const std::int64_t last = std::min(planes.last, depth - offset);
        for (std::int64_t z = std::max(planes.first, -offset); z < last; ++z) {
          for (std::int64_t t = 0; t < count; t += block_rows) {
            block.a = s.tile(z + offset, t) + point * s.point_stride + channel_offset(channel);
            block.out = s.m + ((z - planes.first) * count + t) * s.tile_stride +
                        point * panel_width + n * channel_block;
            const char* line = fetch.next();
            block.fetch = line != nullptr ? Fetch{line, PrefetchList::line_bytes}
                                          : Fetch{reinterpret_cast<const char*>(block.b), 0};
            const std::int64_t high = std::min<std::int64_t>(block_rows, count - t);
            product(k == 0, ahead, high, wide)(block);
            block.ahead += block.depth / fetch_weights_every * channel_block;
          }
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
  const FinishFunction finish = finish_for<tile_extent>(work.epilogue, !weights.bias.empty());
  const std::int64_t depth = std::min(weights.in_channels, product_depth(tile_extent));
  const std::int64_t calls_per_plane =
      (block.count + block_rows - 1) / block_rows * tile_points(tile_extent) *
      ((weights.out_channels / channel_block + block_columns - 1) / block_columns) *
      (weights.planes * weights.in_channels / depth);
  const PlaneParts parts(block);
  for (std::int64_t part = 0; part < parts.size(); ++part) {
    const PlaneRange planes = parts.written(part);
    const PlaneRange fresh = parts.read_first(part);
    for (std::int64_t z = fresh.first; z < fresh.last; ++z) {
      const Image in = work.in.plane(z);
      for (std::int64_t t = 0; t < block.count; ++t) {
        transform_tile<tile_extent>(in, block.tiles[t], s.tile(z, t), s.point_stride);
      }
    }

    PrefetchList fetch = next_pixels(block, parts, part);
    fetch.pace((planes.last - planes.first) * calls_per_plane, depth / fetch_every);

    for (std::int64_t panel = 0; panel < weights.out_channels; panel += panel_width) {
      const std::int64_t channels = std::min(panel_width, weights.out_channels - panel);
      multiply_panel(s, weights, block.count, planes, work.in.depth, panel,
                     channels / channel_block, fetch);
      const float* m = s.m;
      for (std::int64_t z = planes.first; z < planes.last; ++z) {
        const Convolution plane = plane_of(work, z);
        for (std::int64_t t = 0; t < block.count; ++t, m += s.tile_stride) {
          finish(plane, block.tiles[t], m, panel, channels);
        }
      }
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
