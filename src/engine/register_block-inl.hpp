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
constexpr Floats float_lanes;
constexpr int lane_count = static_cast<int>(HWY_LANES(float));
constexpr int vectors_per_block = static_cast<int>(channel_block) / lane_count;

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
constexpr int block_rows = vectors_per_block > 2 && HWY_TARGET != HWY_NEON ? 3 : 6;
constexpr int block_columns = lane_count == 16 ? 4 : 1;

// Steps of k from one line of `fetch` to the next: few where a block has many columns, so that a
// product fetches as many lines however it is cut.
constexpr int fetch_every = 8 / block_columns;
// Steps of k from one line of weights that follow to the next.
constexpr int fetch_weights_every = 4;

// A run of cache lines that the product touches on its way, one line every fetch_every steps of k.
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
  const float* ahead;  // the weights that follow b's
};

// What a register block does with its sums.
enum class Sums {
  full,   // they begin at block.initial, and are stored no lower than block.floor
  fresh,  // they begin at zero
  added   // they begin at zero, and are added to what is at block.out
};

// fetches_ahead: the weights that follow are fetched, a line of each block of columns every
// fetch_weights_every steps of k, so that four blocks of rows fetch them all. It pays where weights
// come from the third cache or from memory, and costs 1 to 2 % where they do not.
template <Sums sums_kind, bool fetches_ahead, int held_rows, int held_columns>
HWY_NOINLINE void register_block(const RegisterBlock& block) {
  constexpr int vector_count = held_columns * vectors_per_block;
  Vector sum[held_rows][vector_count];
  TESSERA_UNROLL
  for (int i = 0; i < held_rows; ++i) {
    TESSERA_UNROLL
    for (int j = 0; j < vector_count; ++j) {
      sum[i][j] =
          sums_kind == Sums::full
              ? hn::LoadU(float_lanes, block.initial + i * block.initial_stride + j * lane_count)
              : hn::Zero(float_lanes);
    }
  }
  const float* a = block.a;
  const float* b = block.b;
  const std::int64_t a_stride = block.a_stride;
  const std::int64_t b_stride = block.b_stride;
  const auto step = [&]() HWY_ATTR {
    Vector column[vector_count];
    TESSERA_UNROLL
    for (int j = 0; j < vector_count; ++j) {
      column[j] = hn::Load(float_lanes, b + (j / vectors_per_block) * b_stride +
                                            (j % vectors_per_block) * lane_count);
    }
    TESSERA_UNROLL
    for (int i = 0; i < held_rows; ++i) {
      const Vector row = hn::Set(float_lanes, a[i * a_stride]);
      TESSERA_UNROLL
      for (int j = 0; j < vector_count; ++j) sum[i][j] = hn::MulAdd(row, column[j], sum[i][j]);
    }
    ++a;
    b += channel_block;
  };
  const char* line = block.fetch.line;
  [[maybe_unused]] const float* ahead = block.ahead;
  std::int64_t k = block.depth;
  const std::int64_t a_skip = block.a_chunk - channel_block;
  for (; k >= channel_block; k -= channel_block) {
    TESSERA_UNROLL
    for (int i = 0; i < channel_block; ++i) {
      if (i % fetch_every == 0) {
        hwy::Prefetch(line);
        line += block.fetch.step;
      }
      if (fetches_ahead && i % fetch_weights_every == 0) {
        TESSERA_UNROLL
        for (int j = 0; j < held_columns; ++j) hwy::Prefetch(ahead + j * b_stride);
        ahead += channel_block;
      }
      step();
    }
    a += a_skip;
  }
  for (; k > 0; --k) step();

  [[maybe_unused]] const Vector floor = hn::Set(float_lanes, block.floor);
  TESSERA_UNROLL
  for (int i = 0; i < held_rows; ++i) {
    TESSERA_UNROLL
    for (int j = 0; j < vector_count; ++j) {
      float* out = block.out + i * block.out_stride + j * lane_count;
      // The second operand wins where one is not a number.
      if constexpr (sums_kind == Sums::full) sum[i][j] = at_least(floor, sum[i][j]);
      if constexpr (sums_kind == Sums::added)
        sum[i][j] = hn::Add(hn::LoadU(float_lanes, out), sum[i][j]);
      hn::StoreU(sum[i][j], float_lanes, out);
    }
  }
}

using RegisterBlockFunction = void (*)(const RegisterBlock&);

template <Sums sums_kind, bool fetches_ahead, int held_columns, int... held_rows>
constexpr std::array<RegisterBlockFunction, sizeof...(held_rows)> register_blocks(
    std::integer_sequence<int, held_rows...>) {
  return {&register_block<sums_kind, fetches_ahead, held_rows + 1, held_columns>...};
}

// Function for `rows` rows (1 .. block_rows) and `columns` blocks of columns (1 .. block_columns).
template <Sums sums_kind, bool fetches_ahead>
RegisterBlockFunction register_block_for(std::int64_t rows, std::int64_t columns) {
  using Rows = std::make_integer_sequence<int, block_rows>;
  static constexpr auto one_column = register_blocks<sums_kind, fetches_ahead, 1>(Rows{});
  const auto index = static_cast<std::size_t>(rows - 1);
  if constexpr (block_columns > 1) {
    static constexpr auto two_columns = register_blocks<sums_kind, fetches_ahead, 2>(Rows{});
    static constexpr auto three_columns = register_blocks<sums_kind, fetches_ahead, 3>(Rows{});
    static constexpr auto four_columns = register_blocks<sums_kind, fetches_ahead, 4>(Rows{});
    if (columns == 4) return four_columns[index];
    if (columns == 3) return three_columns[index];
    if (columns == 2) return two_columns[index];
  }
  return one_column[index];
}

alignas(64) inline constexpr float zero_panel[panel_width] = {};

// A whole product, cut into register blocks of nearly equal height: b stays in the first cache, a
// in the second.
inline void multiply_blocks(const Product& p) {
  RegisterBlock block{};
  block.a_stride = p.a_stride;
  block.a_chunk = channel_block;
  block.b_stride = p.b_stride;
  block.depth = p.depth;
  block.out_stride = p.out_stride;
  block.floor = p.relu ? 0.0F : -std::numeric_limits<float>::infinity();
  const std::int64_t heights = (p.rows + block_rows - 1) / block_rows;
  const std::int64_t column_blocks = p.columns / channel_block;
  for (std::int64_t n = 0; n < column_blocks; n += block_columns) {
    const std::int64_t wide = std::min<std::int64_t>(block_columns, column_blocks - n);
    block.b = p.b + n * p.b_stride;
    block.fetch = {reinterpret_cast<const char*>(block.b), 0};
    std::int64_t row = 0;
    for (std::int64_t h = 0; h < heights; ++h) {
      const std::int64_t high = (p.rows - row + heights - h - 1) / (heights - h);
      block.a = p.a + row * p.a_stride;
      block.initial = p.initial == nullptr ? zero_panel
                                           : p.initial + row * p.initial_stride + n * channel_block;
      block.initial_stride = p.initial == nullptr ? 0 : p.initial_stride;
      block.out = p.out + row * p.out_stride + n * channel_block;
      register_block_for<Sums::full, false>(high, wide)(block);
      row += high;
    }
  }
}

inline void add_vectors(const float* a, const float* b, float* out, std::int64_t count) {
  for (std::int64_t i = 0; i < count; i += lane_count) {
    hn::StoreU(hn::Add(hn::LoadU(float_lanes, a + i), hn::LoadU(float_lanes, b + i)), float_lanes,
               out + i);
  }
}

}  // namespace tessera::engine::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
