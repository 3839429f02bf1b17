// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>

#include "image.hpp"
#include "weights.hpp"

/// The inner loops of the engine, compiled for several instruction sets; the best one that the
/// processor has runs. Every output value is summed in one fixed order by fused multiply-adds where
/// the processor has them: the same for every instruction set and however the work is cut.
namespace tessera::engine {

/// What happens to a convolution's sum before it is stored.
enum class Epilogue {
  none,
  relu,
  add,  ///< the residual image's pixel is added
};

/// A tile of the image: row and column in units of the weights' tile size.
struct TilePosition {
  std::int32_t row;
  std::int32_t column;
};

/// out = epilogue(convolution of in): 3x3 or, of volumes, 3x3x3, zero padding, extents of in.
/// `out` may be the residual image.
struct Convolution {
  Image in;
  Image out;
  Image residual;  ///< only for Epilogue::add
  const WinogradWeights* weights = nullptr;
  Epilogue epilogue = Epilogue::none;
};

/// Some tiles of a convolution, in a range of planes, whose transformed pixels are small enough for
/// a cache.
struct TileBlock {
  const Convolution* convolution = nullptr;
  const TilePosition* tiles = nullptr;
  std::int64_t count = 0;
  std::int64_t first_plane = 0;
  std::int64_t last_plane = 1;  ///< the one after the last
  /// Of the block that follows, in the same planes: fetched into the cache meanwhile.
  const TilePosition* next_tiles = nullptr;
  std::int64_t next_count = 0;
};

/// Floats of scratch memory that convolve_tiles needs for a block of `count` tiles.
std::int64_t tile_scratch(std::int64_t count, const WinogradWeights& weights);

/// Computes the block's tiles, plane after plane: a tile of a volume is transformed once and serves
/// the three planes that see it. scratch: on a cache line, of tile_scratch floats.
void convolve_tiles(const TileBlock& block, float* scratch);

/// out[p][n] = max(floor, initial[p][n] + sum_k a[p][k] b[k][n]) for p < rows, n < columns.
struct Product {
  const float* a = nullptr;
  std::int64_t a_stride = 0;        ///< floats from one row to the next
  const float* b = nullptr;         ///< [block of 16 columns][k][16], on a cache line
  std::int64_t b_stride = 0;        ///< floats from one column block to the next
  std::int64_t depth = 0;           ///< number of k
  const float* initial = nullptr;   ///< null: zeros
  std::int64_t initial_stride = 0;  ///< 0: one row for all p
  float* out = nullptr;
  std::int64_t out_stride = 0;
  std::int64_t rows = 0;
  std::int64_t columns = 0;  ///< a multiple of 16
  bool relu = false;         ///< floor: 0 or none
};
void multiply(const Product& product);

/// out = a + b, `count` floats, a multiple of 16. out may be a or b.
void add(const float* a, const float* b, float* out, std::int64_t count);

/// Name of the instruction set that runs now: "AVX2", "AVX3" (AVX-512), "NEON" ...
const char* instruction_set();

}  // namespace tessera::engine
