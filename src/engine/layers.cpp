// SPDX-License-Identifier: BSD-3-Clause
#include "layers.hpp"

#include <ATen/Parallel.h>

#include <algorithm>

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

/// Row y of the planes, channels last, with a zero pixel before and after: (width + 2) * channels
/// floats.
void pack_row(const Planes& in, std::int64_t y, float* packed) {
  const std::int64_t floats = (in.width + 2) * in.channels;
  if (y < 0 || y >= in.height) {
    std::fill_n(packed, floats, 0.0F);
    return;
  }
  std::fill_n(packed, in.channels, 0.0F);
  std::fill_n(packed + floats - in.channels, in.channels, 0.0F);
  for (std::int64_t c = 0; c < in.channels; ++c) {
    const float* source = in.data + (c * in.height + y) * in.width;
    float* target = packed + in.channels + c;
    for (std::int64_t x = 0; x < in.width; ++x) target[x * in.channels] = source[x];
  }
}

std::int64_t packed_floats(std::int64_t width, std::int64_t channels) {
  return round_up((width + 2) * channels, channel_block);
}

/// Three packed rows around the current one.
class PackedRows {
 public:
  PackedRows(const Planes& in, float* scratch)
      : in_(in), scratch_(scratch), stride_(packed_floats(in.width, in.channels)) {}

  /// Packs row y; rows must be packed in order, three before they are used.
  void pack(std::int64_t y) { pack_row(in_, y, const_cast<float*>(row(y))); }
  const float* row(std::int64_t y) const { return scratch_ + (y + 3) % 3 * stride_; }

 private:
  const Planes& in_;
  float* scratch_;
  std::int64_t stride_;
};

/// Head at pixels [begin, end) of row y, to out: three products, one per kernel row.
void head_pixels(const Head& head, const PackedRows& rows, std::int64_t y, std::int64_t begin,
                 std::int64_t end, float* out) {
  Product product;
  product.depth = 3 * head.in_channels;
  product.a_stride = head.in_channels;
  product.b_stride = head.weights.rows * channel_block;
  product.rows = end - begin;
  product.columns = head.weights.columns;
  product.out = out;
  product.out_stride = head.weights.columns;
  for (std::int64_t i = 0; i < 3; ++i) {
    product.a = rows.row(y + i - 1) + begin * head.in_channels;
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

/// Output row y of the tail: nine shifted sums of the products z[pixel + 1][position][channel],
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
  return 3 * packed_floats(width, head.in_channels);
}

void run_head(const Head& head, const Planes& in, const Image& out, const Lanes& lanes) {
  share(in.height, lanes, [&](std::int64_t first, std::int64_t last, std::int64_t lane) {
    PackedRows rows(in, lanes.lane(lane));
    rows.pack(first - 1);
    rows.pack(first);
    for (std::int64_t y = first; y < last; ++y) {
      rows.pack(y + 1);
      for (std::int64_t x = 0; x < in.width; x += pixels_at_once) {
        head_pixels(head, rows, y, x, std::min(x + pixels_at_once, in.width),
                    out.row(y) + x * out.channels);
      }
    }
  });
}

void run_down(const MatrixWeights& weights, const Image& in, const Image& out, const Lanes& lanes) {
  share(out.height, lanes, [&](std::int64_t first, std::int64_t last, std::int64_t) {
    Product product;
    product.a_stride = 2 * in.channels;
    product.depth = 2 * in.channels;
    product.b_stride = weights.rows * channel_block;
    product.columns = weights.columns;
    product.out_stride = out.channels;
    for (std::int64_t y = first; y < last; ++y) {
      for (std::int64_t x = 0; x < out.width; x += pixels_at_once) {
        product.rows = std::min(pixels_at_once, out.width - x);
        product.out = out.row(y) + x * out.channels;
        for (std::int64_t i = 0; i < 2; ++i) {
          product.a = in.row(2 * y + i) + 2 * x * in.channels;
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
  const std::int64_t columns = weights.columns / 2;  // of one output row
  share(in.height, lanes, [&](std::int64_t first, std::int64_t last, std::int64_t lane) {
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
        add(in.row(y) + offset, skip.row(y) + offset, sum, product.rows * in.channels);
        for (std::int64_t i = 0; i < 2; ++i) {
          product.b = weights.values.data() + i * columns * weights.rows;
          product.out = out.row(2 * y + i) + x * columns;
          multiply(product);
        }
      }
    }
  });
}

std::int64_t tail_scratch(const Tail& tail, const Head* head, std::int64_t width) {
  const std::int64_t products = 3 * (width + 2) * tail.weights.columns;
  if (head == nullptr) return products;
  return products + pixels_at_once * tail.weights.rows + head_scratch(*head, width);
}

void run_tail(const Tail& tail, const Image& in, const Head* head, const Planes* planes, float* out,
              const Lanes& lanes) {
  const std::int64_t columns = tail.weights.columns;
  const std::int64_t row_floats = (in.width + 2) * columns;
  share(in.height, lanes, [&](std::int64_t first, std::int64_t last, std::int64_t lane) {
    float* z = lanes.lane(lane);
    float* sum = z + 3 * row_floats;
    static constexpr Planes no_planes;
    PackedRows packed(planes != nullptr ? *planes : no_planes, sum + pixels_at_once * in.channels);
    if (head != nullptr) {
      packed.pack(first - 2);
      packed.pack(first - 1);
    }
    const auto z_row = [&](std::int64_t y) { return z + (y + 3) % 3 * row_floats; };
    Product product;
    product.a_stride = in.channels;
    product.depth = in.channels;
    product.b = tail.weights.values.data();
    product.b_stride = tail.weights.rows * channel_block;
    product.columns = columns;
    product.out_stride = columns;
    for (std::int64_t y = first - 1; y <= last; ++y) {
      if (head != nullptr) packed.pack(y + 1);
      float* row = z_row(y);
      if (y < 0 || y >= in.height) {
        std::fill_n(row, row_floats, 0.0F);
      } else {
        std::fill_n(row, columns, 0.0F);
        std::fill_n(row + row_floats - columns, columns, 0.0F);
        for (std::int64_t x = 0; x < in.width; x += pixels_at_once) {
          const std::int64_t end = std::min(x + pixels_at_once, in.width);
          product.a = in.row(y) + x * in.channels;
          if (head != nullptr) {
            head_pixels(*head, packed, y, x, end, sum);
            add(sum, product.a, sum, (end - x) * in.channels);
            product.a = sum;
          }
          product.rows = end - x;
          product.out = row + (x + 1) * columns;
          multiply(product);
        }
      }
      if (y > first) {
        const float* around[3] = {z_row(y - 2), z_row(y - 1), z_row(y)};
        sum_positions(tail, around, in.width, out + (y - 1) * in.width, in.height * in.width);
      }
    }
  });
}

}  // namespace tessera::engine
