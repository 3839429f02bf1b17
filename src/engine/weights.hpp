// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>

#include "buffer.hpp"

namespace tessera::engine {

/// A tile of F(4x4, 3x3) is 4 output pixels wide and high, one of F(6x6, 3x3) is 6. The latter
/// needs 64 products per 36 output pixels where the former needs 36 per 16, and rounds about three
/// times as coarsely.
enum class TileSize : std::int64_t { four = 4, six = 6 };

/// Input pixels of a tile, along an axis.
constexpr std::int64_t tile_input(std::int64_t tile) {
  return tile + 2;
}
/// Products per tile and channel pair: the points of the transformed domain.
constexpr std::int64_t tile_points(std::int64_t tile) {
  return tile_input(tile) * tile_input(tile);
}
/// Output channels that go through the products and the output transform together.
inline constexpr std::int64_t panel_width = 64;

/// Where plane i of a kernel of volumes, in the order of use, lies beside the plane that is
/// computed: the middle one comes first, because it is never outside.
constexpr std::int64_t kernel_plane_offset(std::int64_t i) {
  return i == 0 ? 0 : 2 * i - 3;
}

/// Weights of a 3x3 or 3x3x3 convolution, of whose planes each is transformed, in the order in
/// which they are used: [panel of panel_width output channels][point][block of 16 output
/// channels][plane, see kernel_plane_offset][input channel][16]. Interpolation points of F(4x4): 0,
/// +-1/sqrt2, +-sqrt2 and infinity, with half the error of 0,
/// +-1,
/// +-2; of F(6x6): 0, +-1/2, +-1, +-2 and infinity.
struct WinogradWeights {
  std::int64_t tile = 4;          ///< width and height of a tile
  std::int64_t planes = 1;        ///< of the kernel: 1, or 3 for volumes
  std::int64_t in_channels = 0;   ///< padded
  std::int64_t out_channels = 0;  ///< padded
  Buffer values;
  Buffer bias;  ///< out_channels floats; empty: none
};

/// weight: [out][in][planes][3][3] as LibTorch lays it out; bias: [out] or null. Here and below,
/// `planes` is 1 for images, else what the kernel's other extents are; with a null weight the
/// result has its sizes and no values.
WinogradWeights winograd_weights(const float* weight, const float* bias, std::int64_t out,
                                 std::int64_t in, TileSize tile = TileSize::four,
                                 std::int64_t planes = 1);

/// A matrix of `rows` x `columns` in the order in which products use it: [block of 16
/// columns][row][16].
struct MatrixWeights {
  std::int64_t rows = 0;
  std::int64_t columns = 0;  ///< a multiple of 16
  Buffer values;
  Buffer bias;  ///< columns floats; empty: none

  void resize(std::int64_t row_count, std::int64_t column_count, bool allocate);
  float& at(std::int64_t row, std::int64_t column);
};

/// 3x3 or 3x3x3 convolution of few input channels: a row is (kernel row, kernel column, plane of
/// the kernel, input channel); columns are the padded output channels.
MatrixWeights head_weights(const float* weight, const float* bias, std::int64_t out,
                           std::int64_t in, std::int64_t planes = 1);

/// 3x3 or 3x3x3 convolution to few output channels, as a product followed by nine shifted sums: a
/// row is (plane of the kernel, padded input channel), a column is (position in a plane of the
/// kernel, output channel). The bias is left to the sums.
MatrixWeights tail_weights(const float* weight, std::int64_t out, std::int64_t in,
                           std::int64_t planes = 1);

/// 2x2 or 2x2x2 convolution of stride 2, weight [out][in][planes][2][2]: a row is (kernel position,
/// padded input channel).
MatrixWeights down_weights(const float* weight, std::int64_t out, std::int64_t in,
                           std::int64_t planes = 1);

/// 2x2 or 2x2x2 transposed convolution of stride 2, weight [in][out][planes][2][2]: rows are the
/// padded input channels, a column is (kernel position, padded output channel).
MatrixWeights up_weights(const float* weight, std::int64_t in, std::int64_t out,
                         std::int64_t planes = 1);

}  // namespace tessera::engine
