// SPDX-License-Identifier: BSD-3-Clause
#include "weights.hpp"

#include <ATen/Parallel.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "image.hpp"

namespace tessera::engine {

namespace {

using Row = std::array<double, 3>;

/// The matrix G of the weight transform G g G^T (Toom and Cook: interpolation at tile + 1 points
/// and at infinity; Lavin and Gray, 2016). Row i is (1, p, p^2) / prod (p - p_j).
std::vector<Row> weight_transform(std::int64_t tile) {
  const double a = std::sqrt(0.5);
  const double b = std::sqrt(2.0);
  const std::vector<double> points = tile == 4 ? std::vector<double>{0, a, -a, b, -b}
                                               : std::vector<double>{0, 0.5, -0.5, 1, -1, 2, -2};
  std::vector<Row> g;
  for (std::size_t i = 0; i < points.size(); ++i) {
    double product = 1;
    for (std::size_t j = 0; j < points.size(); ++j) {
      if (j != i) product *= points[i] - points[j];
    }
    g.push_back({1 / product, points[i] / product, points[i] * points[i] / product});
  }
  g.push_back({0, 0, 1});
  return g;
}

/// Calls store(point, value) for each value of G g G^T of one 3x3 kernel.
template <typename Store>
void transform_kernel(const float* kernel, const std::vector<Row>& g, const Store& store) {
  for (std::size_t i = 0; i < g.size(); ++i) {
    Row half{};
    for (std::size_t j = 0; j < 3; ++j) {
      half[j] = g[i][0] * kernel[j] + g[i][1] * kernel[3 + j] + g[i][2] * kernel[6 + j];
    }
    for (std::size_t j = 0; j < g.size(); ++j) {
      store(static_cast<std::int64_t>(i * g.size() + j),
            half[0] * g[j][0] + half[1] * g[j][1] + half[2] * g[j][2]);
    }
  }
}

Buffer padded_bias(const float* bias, std::int64_t count, std::int64_t padded) {
  if (bias == nullptr) return {};
  Buffer result(padded);
  std::fill_n(result.data(), padded, 0.0F);
  std::copy_n(bias, count, result.data());
  return result;
}

}  // namespace

WinogradWeights winograd_weights(const float* weight, const float* bias, std::int64_t out,
                                 std::int64_t in, TileSize tile, std::int64_t planes) {
  WinogradWeights result;
  result.planes = planes;
  result.tile = static_cast<std::int64_t>(tile);
  result.in_channels = padded_channels(in);
  result.out_channels = padded_channels(out);
  if (weight == nullptr) return result;
  const std::int64_t points = tile_points(result.tile);
  const std::int64_t rows = planes * result.in_channels;
  const std::int64_t total = points * rows * result.out_channels;
  result.values = Buffer(total);
  result.bias = padded_bias(bias, out, result.out_channels);
  float* values = result.values.data();
  if (in != result.in_channels || out != result.out_channels) std::fill_n(values, total, 0.0F);

  const std::vector<Row> g = weight_transform(result.tile);
  at::parallel_for(0, out, 1, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t o = first; o < last; ++o) {
      const std::int64_t panel = o / panel_width * panel_width;
      const std::int64_t blocks =
          std::min(panel_width, result.out_channels - panel) / channel_block;
      const std::int64_t block = (o - panel) / channel_block;
      for (std::int64_t row = 0; row < rows; ++row) {
        const std::int64_t c = row % result.in_channels;
        if (c >= in) continue;
        const std::int64_t plane = planes / 2 + kernel_plane_offset(row / result.in_channels);
        const float* kernel = weight + ((o * in + c) * planes + plane) * 9;
        transform_kernel(kernel, g, [&](std::int64_t point, double value) {
          const std::int64_t place = points * rows * panel +
                                     ((point * blocks + block) * rows + row) * channel_block +
                                     o % channel_block;
          values[place] = static_cast<float>(value);
        });
      }
    }
  });
  return result;
}

void MatrixWeights::resize(std::int64_t row_count, std::int64_t column_count, bool allocate) {
  rows = row_count;
  columns = round_up(column_count, channel_block);
  if (!allocate) return;
  values = Buffer(rows * columns);
  std::fill_n(values.data(), rows * columns, 0.0F);
}

float& MatrixWeights::at(std::int64_t row, std::int64_t column) {
  const std::int64_t block = column / channel_block;
  return values.data()[(block * rows + row) * channel_block + column % channel_block];
}

MatrixWeights head_weights(const float* weight, const float* bias, std::int64_t out,
                           std::int64_t in, std::int64_t planes) {
  MatrixWeights result;
  result.resize(9 * planes * in, padded_channels(out), weight != nullptr);
  if (weight == nullptr) return result;
  result.bias = padded_bias(bias, out, result.columns);
  for (std::int64_t o = 0; o < out; ++o) {
    for (std::int64_t c = 0; c < in; ++c) {
      for (std::int64_t k = 0; k < 9 * planes; ++k) {
        const std::int64_t row = (k % 9 * planes + k / 9) * in + c;
        result.at(row, o) = weight[(o * in + c) * 9 * planes + k];
      }
    }
  }
  return result;
}

MatrixWeights tail_weights(const float* weight, std::int64_t out, std::int64_t in,
                           std::int64_t planes) {
  const std::int64_t padded = padded_channels(in);
  MatrixWeights result;
  result.resize(planes * padded, 9 * out, weight != nullptr);
  if (weight == nullptr) return result;
  for (std::int64_t o = 0; o < out; ++o) {
    for (std::int64_t c = 0; c < in; ++c) {
      for (std::int64_t k = 0; k < 9 * planes; ++k) {
        result.at(k / 9 * padded + c, k % 9 * out + o) = weight[(o * in + c) * 9 * planes + k];
      }
    }
  }
  return result;
}

MatrixWeights down_weights(const float* weight, std::int64_t out, std::int64_t in,
                           std::int64_t planes) {
  const std::int64_t positions = 4 * planes;
  const std::int64_t padded = padded_channels(in);
  MatrixWeights result;
  result.resize(positions * padded, padded_channels(out), weight != nullptr);
  if (weight == nullptr) return result;
  for (std::int64_t o = 0; o < out; ++o) {
    for (std::int64_t c = 0; c < in; ++c) {
      for (std::int64_t k = 0; k < positions; ++k) {
        result.at(k * padded + c, o) = weight[(o * in + c) * positions + k];
      }
    }
  }
  return result;
}

MatrixWeights up_weights(const float* weight, std::int64_t in, std::int64_t out,
                         std::int64_t planes) {
  const std::int64_t positions = 4 * planes;
  const std::int64_t padded = padded_channels(out);
  MatrixWeights result;
  result.resize(padded_channels(in), positions * padded, weight != nullptr);
  if (weight == nullptr) return result;
  for (std::int64_t c = 0; c < in; ++c) {
    for (std::int64_t o = 0; o < out; ++o) {
      for (std::int64_t k = 0; k < positions; ++k) {
        result.at(c, k * padded + o) = weight[(c * out + o) * positions + k];
      }
    }
  }
  return result;
}

}  // namespace tessera::engine
