#include "weights.hpp"

#include <ATen/Parallel.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "image.hpp"

namespace tessera::engine {

namespace {

using Row = std::array<double, 3>;

/// The matrix G of the weight transform G g G^T (Toom and Cook: interpolation at five points and at
/// infinity; Lavin and Gray, 2016). Row i is (1, p, p^2) / prod (p - p_j).
std::array<Row, kTileInput> weight_transform() {
  const double a = std::sqrt(0.5);
  const double b = std::sqrt(2.0);
  const std::array<double, 5> points = {0, a, -a, b, -b};
  std::array<Row, kTileInput> g{};
  for (std::size_t i = 0; i < points.size(); ++i) {
    double product = 1;
    for (std::size_t j = 0; j < points.size(); ++j) {
      if (j != i) product *= points[i] - points[j];
    }
    g[i] = {1 / product, points[i] / product, points[i] * points[i] / product};
  }
  g[5] = {0, 0, 1};
  return g;
}

/// G g G^T of one 3x3 kernel.
std::array<double, kPoints> transformed(const float* kernel, const std::array<Row, kTileInput>& g) {
  std::array<Row, kTileInput> half{};
  for (std::size_t i = 0; i < 6; ++i) {
    for (std::size_t j = 0; j < 3; ++j) {
      half[i][j] = g[i][0] * kernel[j] + g[i][1] * kernel[3 + j] + g[i][2] * kernel[6 + j];
    }
  }
  std::array<double, kPoints> all{};
  for (std::size_t i = 0; i < 6; ++i) {
    for (std::size_t j = 0; j < 6; ++j) {
      all[6 * i + j] = half[i][0] * g[j][0] + half[i][1] * g[j][1] + half[i][2] * g[j][2];
    }
  }
  return all;
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
                                 std::int64_t in) {
  WinogradWeights result;
  result.in_channels = padded_channels(in);
  result.out_channels = padded_channels(out);
  if (weight == nullptr) return result;
  const std::int64_t total = kPoints * result.in_channels * result.out_channels;
  result.values = Buffer(total);
  result.bias = padded_bias(bias, out, result.out_channels);
  float* values = result.values.data();
  if (in != result.in_channels || out != result.out_channels) std::fill_n(values, total, 0.0F);

  const auto g = weight_transform();
  at::parallel_for(0, out, 1, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t o = first; o < last; ++o) {
      const std::int64_t panel = o / kPanel * kPanel;
      const std::int64_t blocks = std::min(kPanel, result.out_channels - panel) / kChannelBlock;
      const std::int64_t block = (o - panel) / kChannelBlock;
      for (std::int64_t c = 0; c < in; ++c) {
        const auto points = transformed(weight + (o * in + c) * 9, g);
        for (std::int64_t e = 0; e < kPoints; ++e) {
          const std::int64_t place =
              kPoints * result.in_channels * panel +
              ((e * blocks + block) * result.in_channels + c) * kChannelBlock + o % kChannelBlock;
          values[place] = static_cast<float>(points[static_cast<std::size_t>(e)]);
        }
      }
    }
  });
  return result;
}

void MatrixWeights::resize(std::int64_t row_count, std::int64_t column_count, bool allocate) {
  rows = row_count;
  columns = round_up(column_count, kChannelBlock);
  if (!allocate) return;
  values = Buffer(rows * columns);
  std::fill_n(values.data(), rows * columns, 0.0F);
}

float& MatrixWeights::at(std::int64_t row, std::int64_t column) {
  const std::int64_t block = column / kChannelBlock;
  return values.data()[(block * rows + row) * kChannelBlock + column % kChannelBlock];
}

MatrixWeights head_weights(const float* weight, const float* bias, std::int64_t out,
                           std::int64_t in) {
  MatrixWeights result;
  result.resize(9 * in, padded_channels(out), weight != nullptr);
  if (weight == nullptr) return result;
  result.bias = padded_bias(bias, out, result.columns);
  for (std::int64_t o = 0; o < out; ++o) {
    for (std::int64_t c = 0; c < in; ++c) {
      for (std::int64_t k = 0; k < 9; ++k) result.at(k * in + c, o) = weight[(o * in + c) * 9 + k];
    }
  }
  return result;
}

MatrixWeights tail_weights(const float* weight, std::int64_t out, std::int64_t in) {
  MatrixWeights result;
  result.resize(padded_channels(in), 9 * out, weight != nullptr);
  if (weight == nullptr) return result;
  for (std::int64_t o = 0; o < out; ++o) {
    for (std::int64_t c = 0; c < in; ++c) {
      for (std::int64_t k = 0; k < 9; ++k) result.at(c, k * out + o) = weight[(o * in + c) * 9 + k];
    }
  }
  return result;
}

MatrixWeights down_weights(const float* weight, std::int64_t out, std::int64_t in) {
  const std::int64_t padded = padded_channels(in);
  MatrixWeights result;
  result.resize(4 * padded, padded_channels(out), weight != nullptr);
  if (weight == nullptr) return result;
  for (std::int64_t o = 0; o < out; ++o) {
    for (std::int64_t c = 0; c < in; ++c) {
      for (std::int64_t k = 0; k < 4; ++k) {
        result.at(k * padded + c, o) = weight[(o * in + c) * 4 + k];
      }
    }
  }
  return result;
}

MatrixWeights up_weights(const float* weight, std::int64_t in, std::int64_t out) {
  const std::int64_t padded = padded_channels(out);
  MatrixWeights result;
  result.resize(padded_channels(in), 4 * padded, weight != nullptr);
  if (weight == nullptr) return result;
  for (std::int64_t c = 0; c < in; ++c) {
    for (std::int64_t o = 0; o < out; ++o) {
      for (std::int64_t k = 0; k < 4; ++k) {
        result.at(c, k * padded + o) = weight[(c * out + o) * 4 + k];
      }
    }
  }
  return result;
}

}  // namespace tessera::engine
