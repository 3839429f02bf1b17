// SPDX-License-Identifier: BSD-3-Clause
// The register block: a few rows times 16 or more columns of a matrix product, kept in registers.
// Included once per instruction set.

#if defined(TESSERA_ENGINE_REGISTER_BLOCK_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef TESSERA_ENGINE_REGISTER_BLOCK_INL_HPP
#undef TESSERA_ENGINE_REGISTER_BLOCK_INL_HPP
#else
#define TESSERA_ENGINE_REGISTER_BLOCK_INL_HPP
#endif

#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "kernels.hpp"
#include "prefetch.hpp"
#include "tile_scratch.hpp"
#include "unroll.hpp"

HWY_BEFORE_NAMESPACE();
namespace tessera::engine::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using Floats = hn::ScalableTag<float>;
using Vector = hn::Vec<Floats>;
constexpr Floats kFloats;
constexpr int kLanes = static_cast<int>(HWY_LANES(float));
constexpr int kVectorsPerBlock = static_cast<int>(kChannelBlock) / kLanes;

// The larger of the two; not a number where value is none, so that a broken picture is not hidden.
// The maximum of x86 (of its second operand) and of ARM is that; the portable targets' is not.
HWY_INLINE Vector at_least(Vector floor, Vector value) {
  if constexpr (HWY_TARGET == HWY_EMU128 || HWY_TARGET == HWY_SCALAR) {
    return hn::IfThenElse(hn::Lt(value, floor), floor, value);
  } else {
    return hn::Max(floor, value);
  }
}

// Rows and 16-column blocks that fill the registers: 6 x 16 floats are 12 of AVX2's 16 registers
// (two more hold b, one a), 6 x 64 are 24 of AVX-512's 32, 6 x 16 are 24 of NEON's 32.
constexpr int kBlockRows = kVectorsPerBlock > 2 && HWY_TARGET != HWY_NEON ? 3 : 6;
constexpr int kBlockColumns = kLanes == 16 ? 4 : 1;

// A run of cache lines that the product touches on its way, one line every kFetchEvery steps of k.
struct Fetch {
  const char* line = nullptr;
  std::int64_t step = 0;  // bytes; 0: the same line again and again
};

struct RegisterBlock {
  const float* a;
  std::int64_t a_stride;  // from row to row
  std::int64_t a_chunk;   // from 16 k to the next 16
  const float* b;
  std::int64_t b_stride;
  std::int64_t depth;
  const float* initial;
  std::int64_t initial_stride;
  float* out;
  std::int64_t out_stride;
  float floor;
  Fetch fetch;
  const char* ahead;  // of the weights that follow b's
};

// What a register block does with its sums.
enum class Sums {
  full,   // they begin at block.initial, and are stored no lower than block.floor
  fresh,  // they begin at zero
  added   // they begin at zero, and are added to what is at block.out
};

// kAhead: the weights that follow are fetched, two lines every kFetchEvery steps of k, so that four
// blocks of rows fetch a whole block of columns. It pays where weights come from the third cache or
// from memory, and costs 1 to 2 % where they do not.
template <Sums kSums, bool kAhead, int kRows, int kColumns>
HWY_NOINLINE void register_block(const RegisterBlock& block) {
  constexpr int kVectors = kColumns * kVectorsPerBlock;
  Vector sum[kRows][kVectors];
  TESSERA_UNROLL
  for (int i = 0; i < kRows; ++i) {
    TESSERA_UNROLL
    for (int j = 0; j < kVectors; ++j) {
      sum[i][j] = kSums == Sums::full
                      ? hn::LoadU(kFloats, block.initial + i * block.initial_stride + j * kLanes)
                      : hn::Zero(kFloats);
    }
  }
  const float* a = block.a;
  const float* b = block.b;
  const std::int64_t a_stride = block.a_stride;
  const std::int64_t b_stride = block.b_stride;
  const auto step = [&]() HWY_ATTR {
    Vector column[kVectors];
    TESSERA_UNROLL
    for (int j = 0; j < kVectors; ++j) {
      column[j] = hn::Load(kFloats,
                           b + (j / kVectorsPerBlock) * b_stride + (j % kVectorsPerBlock) * kLanes);
    }
    TESSERA_UNROLL
    for (int i = 0; i < kRows; ++i) {
      const Vector row = hn::Set(kFloats, a[i * a_stride]);
      TESSERA_UNROLL
      for (int j = 0; j < kVectors; ++j) sum[i][j] = hn::MulAdd(row, column[j], sum[i][j]);
    }
    ++a;
    b += kChannelBlock;
  };
  const char* line = block.fetch.line;
  [[maybe_unused]] const char* ahead = block.ahead;
  std::int64_t k = block.depth;
  const std::int64_t a_skip = block.a_chunk - kChannelBlock;
  for (; k >= kChannelBlock; k -= kChannelBlock) {
    TESSERA_UNROLL
    for (int i = 0; i < kChannelBlock; i += kFetchEvery) {
      hwy::Prefetch(line);
      line += block.fetch.step;
      if constexpr (kAhead) {
        hwy::Prefetch(ahead);
        hwy::Prefetch(ahead + PrefetchList::kLine);
        ahead += 2 * PrefetchList::kLine;
      }
      TESSERA_UNROLL
      for (int j = 0; j < kFetchEvery; ++j) step();
    }
    a += a_skip;
  }
  for (; k > 0; --k) step();

  [[maybe_unused]] const Vector floor = hn::Set(kFloats, block.floor);
  TESSERA_UNROLL
  for (int i = 0; i < kRows; ++i) {
    TESSERA_UNROLL
    for (int j = 0; j < kVectors; ++j) {
      float* out = block.out + i * block.out_stride + j * kLanes;
      // The second operand wins where one is not a number.
      if constexpr (kSums == Sums::full) sum[i][j] = at_least(floor, sum[i][j]);
      if constexpr (kSums == Sums::added) sum[i][j] = hn::Add(hn::LoadU(kFloats, out), sum[i][j]);
      hn::StoreU(sum[i][j], kFloats, out);
    }
  }
}

using RegisterBlockFunction = void (*)(const RegisterBlock&);

template <Sums kSums, bool kAhead, int kColumns, int... kRows>
constexpr std::array<RegisterBlockFunction, sizeof...(kRows)> register_blocks(
    std::integer_sequence<int, kRows...>) {
  return {&register_block<kSums, kAhead, kRows + 1, kColumns>...};
}

// Function for `rows` rows (1 .. kBlockRows) and `columns` blocks of columns (1 .. kBlockColumns).
template <Sums kSums, bool kAhead>
RegisterBlockFunction register_block_for(std::int64_t rows, std::int64_t columns) {
  using Rows = std::make_integer_sequence<int, kBlockRows>;
  static constexpr auto kOne = register_blocks<kSums, kAhead, 1>(Rows{});
  const auto index = static_cast<std::size_t>(rows - 1);
  if constexpr (kBlockColumns > 1) {
    static constexpr auto kTwo = register_blocks<kSums, kAhead, 2>(Rows{});
    static constexpr auto kThree = register_blocks<kSums, kAhead, 3>(Rows{});
    static constexpr auto kFour = register_blocks<kSums, kAhead, 4>(Rows{});
    if (columns == 4) return kFour[index];
    if (columns == 3) return kThree[index];
    if (columns == 2) return kTwo[index];
  }
  return kOne[index];
}

alignas(64) inline constexpr float kZeros[kPanel] = {};

// A whole product, cut into register blocks of nearly equal height: b stays in the first cache, a
// in the second.
inline void multiply_blocks(const Product& p) {
  RegisterBlock block{};
  block.a_stride = p.a_stride;
  block.a_chunk = kChannelBlock;
  block.b_stride = p.b_stride;
  block.depth = p.depth;
  block.out_stride = p.out_stride;
  block.floor = p.relu ? 0.0F : -std::numeric_limits<float>::infinity();
  const std::int64_t heights = (p.rows + kBlockRows - 1) / kBlockRows;
  const std::int64_t column_blocks = p.columns / kChannelBlock;
  for (std::int64_t n = 0; n < column_blocks; n += kBlockColumns) {
    const std::int64_t wide = std::min<std::int64_t>(kBlockColumns, column_blocks - n);
    block.b = p.b + n * p.b_stride;
    block.fetch = {reinterpret_cast<const char*>(block.b), 0};
    std::int64_t row = 0;
    for (std::int64_t h = 0; h < heights; ++h) {
      const std::int64_t high = (p.rows - row + heights - h - 1) / (heights - h);
      block.a = p.a + row * p.a_stride;
      block.initial =
          p.initial == nullptr ? kZeros : p.initial + row * p.initial_stride + n * kChannelBlock;
      block.initial_stride = p.initial == nullptr ? 0 : p.initial_stride;
      block.out = p.out + row * p.out_stride + n * kChannelBlock;
      register_block_for<Sums::full, false>(high, wide)(block);
      row += high;
    }
  }
}

inline void add_vectors(const float* a, const float* b, float* out, std::int64_t count) {
  for (std::int64_t i = 0; i < count; i += kLanes) {
    hn::StoreU(hn::Add(hn::LoadU(kFloats, a + i), hn::LoadU(kFloats, b + i)), kFloats, out + i);
  }
}

}  // namespace tessera::engine::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
