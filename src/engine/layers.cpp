// SPDX-License-Identifier: BSD-3-Clause
#include "layers.hpp"

#include <ATen/Parallel.h>

#include <algorithm>
#include <vector>

namespace tessera::engine {

namespace {

/// Pixels that go through a product together: what is summed or read for them stays in the first
/// caches.
constexpr std::int64_t pixels_at_once = 48;

/// Calls work(first, last, lane) for each lane's share of [0, count).
template <typename Work>
void share(std::int64_t count, const Lanes& lanes, const Work& work) {
  at::parallel_for(0, lanes.count, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t lane = begin; lane < end; ++lane) {
      const std::int64_t first = count * lane / lanes.count;
      const std::int64_t last = count * (lane + 1) / lanes.count;
      if (first < last) work(first, last, lane);
    }
  });
}

/// As share, with the rows [first, last) of each plane z: work(z, first, last, lane).
template <typename Work>
void share_rows(std::int64_t depth, std::int64_t height, const Lanes& lanes, const Work& work) {
  share(depth * height, lanes, [&](std::int64_t first, std::int64_t last, std::int64_t lane) {
    for (std::int64_t row = first; row < last;) {
      const std::int64_t z = row / height;
      const std::int64_t end = std::min(last, (z + 1) * height);
      work(z, row - z * height, end - z * height, lane);
      row = end;
    }
  });
}

std::int64_t packed_floats(const Head& head, std::int64_t width) {
  return round_up((width + 2) * head.planes * head.in_channels, channel_block);
}

/// Three packed rows around the current one, of what a head sees at plane z: channels last, those
/// of the planes around it beside each other, and a zero pixel before and after.
class PackedRows {
 public:
  PackedRows(const Head& head, const Planes& in, std::int64_t z, float* scratch)
      : in_(in),
        planes_(head.planes),
        first_plane_(z - head.planes / 2),
        scratch_(scratch),
        stride_(packed_floats(head, in.width)) {}

  /// Packs row y; rows must be packed in order, three before they are used.
  void pack(std::int64_t y) {
    const std::int64_t channels = planes_ * in_.channels;  // of a packed pixel
    float* packed = place(y);
    std::fill_n(packed, (in_.width + 2) * channels, 0.0F);
    if (y < 0 || y >= in_.height) return;
    for (std::int64_t i = 0; i < channels; ++i) {
      const std::int64_t z = first_plane_ + i / in_.channels;
      if (z < 0 || z >= in_.depth) continue;
      const std::int64_t c = i % in_.channels;
      const float* source = in_.data + ((c * in_.depth + z) * in_.height + y) * in_.width;
      float* target = packed + channels + i;
      for (std::int64_t x = 0; x < in_.width; ++x) target[x * channels] = source[x];
    }
  }
  const float* row(std::int64_t y) const { return place(y); }

 private:
  float* place(std::int64_t y) const { return scratch_ + (y + 3) % 3 * stride_; }

  const Planes& in_;
  std::int64_t planes_;
  std::int64_t first_plane_;
  float* scratch_;
  std::int64_t stride_;
};

/// Head at pixels [begin, end) of row y, to out: three products, one per kernel row.
void head_pixels(const Head& head, const PackedRows& rows, std::int64_t y, std::int64_t begin,
                 std::int64_t end, float* out) {
  Product product;
  const std::int64_t channels = head.planes * head.in_channels;
  product.depth = 3 * channels;
  product.a_stride = channels;
  product.b_stride = head.weights.rows * channel_block;
  product.rows = end - begin;
  product.columns = head.weights.columns;
  product.out = out;
  product.out_stride = head.weights.columns;
  for (std::int64_t i = 0; i < 3; ++i) {
    product.a = rows.row(y + i - 1) + begin * channels;
    product.b = head.weights.values.data() + i * product.depth * channel_block;
    if (i == 0) {
      product.initial = head.weights.bias.data();
    } else {
      product.initial = out;
      product.initial_stride = product.out_stride;
    }
    product.relu = head.relu && i == 2;
    multiply(product);
  }
}

/// An output row of the tail: nine shifted sums of the products z[pixel + 1][position][channel],
/// whose pixels before the first and after the last are zero.
void sum_positions(const Tail& tail, const float* const* z, std::int64_t width, float* out,
                   std::int64_t plane) {
  const std::int64_t stride = tail.weights.columns;
  const std::int64_t channels = tail.out_channels;
  for (std::int64_t c = 0; c < channels; ++c) {
    const float bias = tail.bias.empty() ? 0.0F : tail.bias.data()[c];
    for (std::int64_t x = 0; x < width; ++x) {
      float sum[3];
      for (std::int64_t i = 0; i < 3; ++i) {
        const float* at = z[i] + x * stride + 3 * i * channels + c;
        sum[i] = at[0] + at[stride + channels] + at[2 * (stride + channels)];
      }
      out[c * plane + x] = bias + (sum[0] + sum[1] + sum[2]);
    }
  }
}

}  // namespace

std::int64_t head_scratch(const Head& head, std::int64_t width) {
  return 3 * packed_floats(head, width);
}

void run_head(const Head& head, const Planes& in, const Image& out, const Lanes& lanes) {
  share_rows(in.depth, in.height, lanes,
             [&](std::int64_t z, std::int64_t first, std::int64_t last, std::int64_t lane) {
               const Image plane = out.plane(z);
               PackedRows rows(head, in, z, lanes.lane(lane));
               rows.pack(first - 1);
               rows.pack(first);
               for (std::int64_t y = first; y < last; ++y) {
                 rows.pack(y + 1);
                 for (std::int64_t x = 0; x < in.width; x += pixels_at_once) {
                   head_pixels(head, rows, y, x, std::min(x + pixels_at_once, in.width),
                               plane.row(y) + x * out.channels);
                 }
               }
             });
}

void run_down(const MatrixWeights& weights, const Image& in, const Image& out, const Lanes& lanes) {
  const std::int64_t planes = in.depth / out.depth;  // of the kernel
  share_rows(out.depth, out.height, lanes,
             [&](std::int64_t z, std::int64_t first, std::int64_t last, std::int64_t) {
               const Image coarse = out.plane(z);
               Product product;
               product.a_stride = 2 * in.channels;
               product.depth = 2 * in.channels;
               product.b_stride = weights.rows * channel_block;
               product.columns = weights.columns;
               product.out_stride = out.channels;
               for (std::int64_t y = first; y < last; ++y) {
                 for (std::int64_t x = 0; x < out.width; x += pixels_at_once) {
                   product.rows = std::min(pixels_at_once, out.width - x);
                   product.out = coarse.row(y) + x * out.channels;
                   for (std::int64_t i = 0; i < 2 * planes; ++i) {
                     const Image fine = in.plane(planes * z + i / 2);
                     product.a = fine.row(2 * y + i % 2) + 2 * x * in.channels;
                     product.b = weights.values.data() + i * product.depth * channel_block;
                     product.initial = i == 0 ? nullptr : product.out;
                     product.initial_stride = i == 0 ? 0 : product.out_stride;
                     multiply(product);
                   }
                 }
               }
             });
}

std::int64_t up_scratch(std::int64_t in_channels) {
  return pixels_at_once * in_channels;
}

void run_up(const MatrixWeights& weights, const Image& in, const Image& skip, const Image& out,
            const Lanes& lanes) {
  const std::int64_t planes = out.depth / in.depth;             // of the kernel
  const std::int64_t columns = weights.columns / (2 * planes);  // of one output row
  share_rows(in.depth, in.height, lanes,
             [&](std::int64_t z, std::int64_t first, std::int64_t last, std::int64_t lane) {
               const Image coarse = in.plane(z);
               const Image beside = skip.plane(z);
               float* sum = lanes.lane(lane);
               Product product;
               product.a = sum;
               product.a_stride = in.channels;
               product.depth = in.channels;
               product.b_stride = weights.rows * channel_block;
               product.columns = columns;
               product.out_stride = columns;
               for (std::int64_t y = first; y < last; ++y) {
                 for (std::int64_t x = 0; x < in.width; x += pixels_at_once) {
                   product.rows = std::min(pixels_at_once, in.width - x);
                   const std::int64_t offset = x * in.channels;
                   add(coarse.row(y) + offset, beside.row(y) + offset, sum,
                       product.rows * in.channels);
                   for (std::int64_t i = 0; i < 2 * planes; ++i) {
                     product.b = weights.values.data() + i * columns * weights.rows;
                     product.out = out.plane(planes * z + i / 2).row(2 * y + i % 2) + x * columns;
                     multiply(product);
                   }
                 }
               }
             });
}

std::int64_t tail_scratch(const Tail& tail, const Head* head, std::int64_t width) {
  const std::int64_t products = 3 * (width + 2) * tail.weights.columns;
  if (head == nullptr) return products;
  return products + pixels_at_once * tail.weights.rows / tail.planes +
         tail.planes * head_scratch(*head, width);
}

void run_tail(const Tail& tail, const Image& in, const Head* head, const Planes* planes, float* out,
              const Lanes& lanes) {
  const std::int64_t columns = tail.weights.columns;
  const std::int64_t row_floats = (in.width + 2) * columns;
  share_rows(
      in.depth, in.height, lanes,
      [&](std::int64_t plane, std::int64_t first, std::int64_t last, std::int64_t lane) {
        float* z = lanes.lane(lane);
        float* sum = z + 3 * row_floats;
        const std::int64_t before = plane - tail.planes / 2;  // what the kernel's first plane sees
        const std::int64_t begin = std::max<std::int64_t>(before, 0);
        const std::int64_t end = std::min(before + tail.planes, in.depth);
        std::vector<PackedRows> packed;  // of each plane that is seen
        if (head != nullptr) {
          float* scratch = sum + pixels_at_once * in.channels;
          for (std::int64_t i = begin; i < end; ++i, scratch += head_scratch(*head, in.width)) {
            packed.emplace_back(*head, *planes, i, scratch);
            packed.back().pack(first - 2);
            packed.back().pack(first - 1);
          }
        }
        const auto z_row = [&](std::int64_t y) { return z + (y + 3) % 3 * row_floats; };
        Product product;
        product.a_stride = in.channels;
        product.depth = in.channels;
        product.b_stride = tail.weights.rows * channel_block;
        product.columns = columns;
        product.out_stride = columns;
        for (std::int64_t y = first - 1; y <= last; ++y) {
          for (PackedRows& rows : packed) rows.pack(y + 1);
          float* row = z_row(y);
          if (y < 0 || y >= in.height) {
            std::fill_n(row, row_floats, 0.0F);
          } else {
            std::fill_n(row, columns, 0.0F);
            std::fill_n(row + row_floats - columns, columns, 0.0F);
            for (std::int64_t x = 0; x < in.width; x += pixels_at_once) {
              const std::int64_t x_end = std::min(x + pixels_at_once, in.width);
              product.rows = x_end - x;
              product.out = row + (x + 1) * columns;
              for (std::int64_t i = begin; i < end; ++i) {
                product.a = in.plane(i).row(y) + x * in.channels;
                if (head != nullptr) {
                  head_pixels(*head, packed[static_cast<std::size_t>(i - begin)], y, x, x_end, sum);
                  add(sum, product.a, sum, product.rows * in.channels);
                  product.a = sum;
                }
                product.b = tail.weights.values.data() + (i - before) * in.channels * channel_block;
                product.initial = i == begin ? nullptr : product.out;
                product.initial_stride = i == begin ? 0 : product.out_stride;
                multiply(product);
              }
            }
          }
          if (y > first) {
            const float* around[3] = {z_row(y - 2), z_row(y - 1), z_row(y)};
            sum_positions(tail, around, in.width, out + (plane * in.height + y - 1) * in.width,
                          in.depth * in.height * in.width);
          }
        }
      });
}

}  // namespace tessera::engine
