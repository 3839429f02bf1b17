// SPDX-License-Identifier: BSD-3-Clause
// The two transforms of F(4x4, 3x3) around the products: B^T d B of the pixels and A^T m A of the
// products (Lavin and Gray, "Fast algorithms for convolutional neural networks", 2016), for one
// vector of channels. Included once per instruction set.

#if defined(TESSERA_ENGINE_TRANSFORM_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef TESSERA_ENGINE_TRANSFORM_INL_HPP
#undef TESSERA_ENGINE_TRANSFORM_INL_HPP
#else
#define TESSERA_ENGINE_TRANSFORM_INL_HPP
#endif

#include "register_block-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace tessera::engine::HWY_NAMESPACE {

constexpr std::int64_t largest_tile = 6;

HWY_INLINE Vector constant(float value) {
  return hn::Set(float_lanes, value);
}

// What is done to an output vector before it is stored at out; residual: where out's residual lies.
template <Epilogue epilogue_kind, bool with_bias>
HWY_INLINE void finish(Vector value, const float* bias, const float* residual, float* out) {
  if constexpr (with_bias) value = hn::Add(value, hn::LoadU(float_lanes, bias));
  if constexpr (epilogue_kind == Epilogue::relu) value = at_least(hn::Zero(float_lanes), value);
  if constexpr (epilogue_kind == Epilogue::add)
    value = hn::Add(value, hn::LoadU(float_lanes, residual));
  hn::StoreU(value, float_lanes, out);
}

// Where a tile's output goes: the first pixel of each of its rows.
struct TileOutput {
  float* rows[largest_tile];
  const float* residual_rows[largest_tile];
  std::int64_t pixel;  // floats from pixel to pixel
  std::int64_t residual_pixel;
};

namespace f4 {

constexpr std::int64_t input_size = 6;

// The interpolation points besides 0 and infinity: +-sqrt_half and +-sqrt_two; sqrt_half sqrt_two =
// 1, sqrt_half^2 + sqrt_two^2 = 5/2.
constexpr float sqrt_half = 0.70710678118654752440F;
constexpr float sqrt_two = 1.41421356237309504880F;

// Outputs 0 and 5, 1 and 2, or 3 and 4 of B^T d, for d = 6 vectors `stride` floats apart. In pairs,
// because two rows of six intermediate values are what 16 registers hold; loading d again from the
// first cache is cheaper than storing intermediate values.
template <int pair_index>
HWY_INLINE void input_pair(const float* d, std::int64_t stride, Vector& first, Vector& second) {
  const Vector d1 = hn::LoadU(float_lanes, d + stride);
  const Vector d2 = hn::LoadU(float_lanes, d + 2 * stride);
  const Vector d3 = hn::LoadU(float_lanes, d + 3 * stride);
  const Vector d4 = hn::LoadU(float_lanes, d + 4 * stride);
  if constexpr (pair_index == 0) {
    const Vector d0 = hn::LoadU(float_lanes, d);
    const Vector d5 = hn::LoadU(float_lanes, d + 5 * stride);
    first = hn::MulAdd(constant(-2.5F), d2, hn::Add(d0, d4));
    second = hn::MulAdd(constant(-2.5F), d3, hn::Add(d1, d5));
  } else {
    const Vector inner = constant(pair_index == 1 ? -2.0F : -0.5F);
    const Vector even = hn::MulAdd(inner, d2, d4);
    const Vector odd = hn::MulAdd(inner, d1, d3);
    first = hn::MulAdd(constant(pair_index == 1 ? sqrt_half : sqrt_two), odd, even);
    second = hn::MulAdd(constant(pair_index == 1 ? -sqrt_half : -sqrt_two), odd, even);
  }
}

// B^T d for six vectors in registers; output i goes to v + i * stride.
HWY_INLINE void input_column(const Vector* d, float* v, std::int64_t stride) {
  const Vector outer = constant(-2.5F);
  hn::Store(hn::MulAdd(outer, d[2], hn::Add(d[0], d[4])), float_lanes, v);
  hn::Store(hn::MulAdd(outer, d[3], hn::Add(d[1], d[5])), float_lanes, v + 5 * stride);
  const Vector even_a = hn::MulAdd(constant(-2.0F), d[2], d[4]);
  const Vector odd_a = hn::MulAdd(constant(-2.0F), d[1], d[3]);
  hn::Store(hn::MulAdd(constant(sqrt_half), odd_a, even_a), float_lanes, v + stride);
  hn::Store(hn::MulAdd(constant(-sqrt_half), odd_a, even_a), float_lanes, v + 2 * stride);
  const Vector even_b = hn::MulAdd(constant(-0.5F), d[2], d[4]);
  const Vector odd_b = hn::MulAdd(constant(-0.5F), d[1], d[3]);
  hn::Store(hn::MulAdd(constant(sqrt_two), odd_b, even_b), float_lanes, v + 3 * stride);
  hn::Store(hn::MulAdd(constant(-sqrt_two), odd_b, even_b), float_lanes, v + 4 * stride);
}

template <int pair_index>
HWY_INLINE void input_columns(const float* const* rows, std::int64_t pixel, std::int64_t channel,
                              float* v, std::int64_t point) {
  constexpr int first_row = pair_index == 0 ? 0 : 2 * pair_index - 1;
  constexpr int second_row = pair_index == 0 ? 5 : 2 * pair_index;
  Vector first[input_size];
  Vector second[input_size];
  TESSERA_UNROLL
  for (int i = 0; i < input_size; ++i) {
    input_pair<pair_index>(rows[i] + channel, pixel, first[i], second[i]);
  }
  input_column(first, v + first_row * point, input_size * point);
  input_column(second, v + second_row * point, input_size * point);
}

// Transforms one tile and one vector of channels. rows: the first pixel of each of the six rows;
// pixel: floats from pixel to pixel; point: floats from transformed value to value.
HWY_INLINE void input_transform(const float* const* rows, std::int64_t pixel, std::int64_t channel,
                                float* v, std::int64_t point) {
  input_columns<0>(rows, pixel, channel, v, point);
  input_columns<1>(rows, pixel, channel, v, point);
  input_columns<2>(rows, pixel, channel, v, point);
}

// Rows 0 and 2 (is_odd false) or 1 and 3 (is_odd true) of A^T m, for m = 6 vectors `stride` floats
// apart.
template <bool is_odd>
HWY_INLINE void output_pair(const float* m, std::int64_t stride, Vector& first, Vector& second) {
  const Vector m1 = hn::Load(float_lanes, m + stride);
  const Vector m2 = hn::Load(float_lanes, m + 2 * stride);
  const Vector m3 = hn::Load(float_lanes, m + 3 * stride);
  const Vector m4 = hn::Load(float_lanes, m + 4 * stride);
  if constexpr (!is_odd) {
    const Vector sum_a = hn::Add(m1, m2);
    const Vector sum_b = hn::Add(m3, m4);
    first = hn::Add(hn::Load(float_lanes, m), hn::Add(sum_a, sum_b));
    second = hn::MulAdd(constant(2.0F), sum_b, hn::Mul(constant(0.5F), sum_a));
  } else {
    const Vector difference_a = hn::Sub(m1, m2);
    const Vector difference_b = hn::Sub(m3, m4);
    first =
        hn::MulAdd(constant(sqrt_two), difference_b, hn::Mul(constant(sqrt_half), difference_a));
    second = hn::MulAdd(
        constant(2 * sqrt_two), difference_b,
        hn::MulAdd(constant(sqrt_half / 2), difference_a, hn::Load(float_lanes, m + 5 * stride)));
  }
}

template <Epilogue epilogue_kind, bool with_bias>
HWY_INLINE void output_row(const Vector* z, const float* bias, const float* residual,
                           std::int64_t residual_pixel, float* out, std::int64_t pixel) {
  const Vector sum_a = hn::Add(z[1], z[2]);
  const Vector sum_b = hn::Add(z[3], z[4]);
  const Vector difference_a = hn::Sub(z[1], z[2]);
  const Vector difference_b = hn::Sub(z[3], z[4]);
  finish<epilogue_kind, with_bias>(hn::Add(z[0], hn::Add(sum_a, sum_b)), bias, residual, out);
  finish<epilogue_kind, with_bias>(
      hn::MulAdd(constant(sqrt_two), difference_b, hn::Mul(constant(sqrt_half), difference_a)),
      bias, residual + residual_pixel, out + pixel);
  finish<epilogue_kind, with_bias>(
      hn::MulAdd(constant(2.0F), sum_b, hn::Mul(constant(0.5F), sum_a)), bias,
      residual + 2 * residual_pixel, out + 2 * pixel);
  finish<epilogue_kind, with_bias>(
      hn::MulAdd(constant(2 * sqrt_two), difference_b,
                 hn::MulAdd(constant(sqrt_half / 2), difference_a, z[5])),
      bias, residual + 3 * residual_pixel, out + 3 * pixel);
}

template <bool is_odd, Epilogue epilogue_kind, bool with_bias>
HWY_INLINE void output_rows(const float* m, std::int64_t point, const float* bias,
                            const TileOutput& to, std::int64_t channel) {
  Vector first[input_size];
  Vector second[input_size];
  TESSERA_UNROLL
  for (int j = 0; j < input_size; ++j) {
    output_pair<is_odd>(m + j * point, input_size * point, first[j], second[j]);
  }
  constexpr int row_of_pair = is_odd ? 1 : 0;
  output_row<epilogue_kind, with_bias>(first, bias, to.residual_rows[row_of_pair] + channel,
                                       to.residual_pixel, to.rows[row_of_pair] + channel, to.pixel);
  output_row<epilogue_kind, with_bias>(second, bias, to.residual_rows[row_of_pair + 2] + channel,
                                       to.residual_pixel, to.rows[row_of_pair + 2] + channel,
                                       to.pixel);
}

// Transforms one tile and one vector of channels back. m: its products, `point` floats apart.
template <Epilogue epilogue_kind, bool with_bias>
HWY_INLINE void output_transform(const float* m, std::int64_t point, const float* bias,
                                 const TileOutput& to, std::int64_t channel) {
  output_rows<false, epilogue_kind, with_bias>(m, point, bias, to, channel);
  output_rows<true, epilogue_kind, with_bias>(m, point, bias, to, channel);
}

}  // namespace f4

}  // namespace tessera::engine::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
