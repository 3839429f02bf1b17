// SPDX-License-Identifier: BSD-3-Clause
// The two transforms of F(6x6, 3x3), as those of F(4x4, 3x3) in transform-inl.hpp. Included once
// per instruction set.

#if defined(TESSERA_ENGINE_TRANSFORM6_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef TESSERA_ENGINE_TRANSFORM6_INL_HPP
#undef TESSERA_ENGINE_TRANSFORM6_INL_HPP
#else
#define TESSERA_ENGINE_TRANSFORM6_INL_HPP
#endif

#include "transform-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace tessera::engine::HWY_NAMESPACE::f6 {

constexpr std::int64_t input_size = 8;
constexpr std::int64_t output_size = 6;

// Outputs p and -p of B^T d for one of the points 1/2, 1, 2: even +- p odd.
HWY_INLINE void input_pair(float p, float u, float v, const Vector* d, Vector& plus,
                           Vector& minus) {
  const Vector even = hn::MulAdd(constant(v), d[2], hn::MulAdd(constant(-u), d[4], d[6]));
  const Vector odd = hn::MulAdd(constant(v), d[1], hn::MulAdd(constant(-u), d[3], d[5]));
  plus = hn::MulAdd(constant(p), odd, even);
  minus = hn::MulAdd(constant(-p), odd, even);
}

// B^T d. Points in the order 0, 1/2, -1/2, 1, -1, 2, -2, infinity; u and v are the sum and the
// product of the squares of the two other points.
HWY_INLINE void input_line(const Vector* d, Vector* out) {
  const Vector s = constant(5.25F);
  out[0] = hn::MulAdd(s, hn::Sub(d[2], d[4]), hn::Sub(d[6], d[0]));
  out[7] = hn::MulAdd(s, hn::Sub(d[3], d[5]), hn::Sub(d[7], d[1]));
  input_pair(0.5F, 5.0F, 4.0F, d, out[1], out[2]);
  input_pair(1.0F, 4.25F, 1.0F, d, out[3], out[4]);
  input_pair(2.0F, 1.25F, 0.25F, d, out[5], out[6]);
}

// As f4::input_transform. The intermediate values, 64 vectors, go through the first cache.
HWY_INLINE void input_transform(const float* const* rows, std::int64_t pixel, std::int64_t channel,
                                float* v, std::int64_t point) {
  alignas(64) float between[input_size][input_size][lane_count];
  Vector d[input_size];
  Vector out[input_size];
  for (int i = 0; i < input_size; ++i) {
    const float* row = rows[i] + channel;
    TESSERA_UNROLL
    for (int j = 0; j < input_size; ++j) d[j] = hn::LoadU(float_lanes, row + j * pixel);
    input_line(d, out);
    TESSERA_UNROLL
    for (int j = 0; j < input_size; ++j) hn::Store(out[j], float_lanes, between[i][j]);
  }
  for (int j = 0; j < input_size; ++j) {
    TESSERA_UNROLL
    for (int i = 0; i < input_size; ++i) d[i] = hn::Load(float_lanes, between[i][j]);
    input_line(d, out);
    TESSERA_UNROLL
    for (int i = 0; i < input_size; ++i) {
      hn::Store(out[i], float_lanes, v + (i * input_size + j) * point);
    }
  }
}

// A^T m: output i is the sum of p^i m_p over the points p, and m_infinity for the last.
HWY_INLINE void output_line(const Vector* m, Vector* out) {
  const Vector sum_a = hn::Add(m[1], m[2]);
  const Vector sum_b = hn::Add(m[3], m[4]);
  const Vector sum_c = hn::Add(m[5], m[6]);
  out[0] = hn::Add(hn::Add(m[0], sum_a), hn::Add(sum_b, sum_c));
  out[2] = hn::MulAdd(constant(0.25F), sum_a, hn::MulAdd(constant(4.0F), sum_c, sum_b));
  out[4] = hn::MulAdd(constant(0.0625F), sum_a, hn::MulAdd(constant(16.0F), sum_c, sum_b));
  const Vector difference_a = hn::Sub(m[1], m[2]);
  const Vector difference_b = hn::Sub(m[3], m[4]);
  const Vector difference_c = hn::Sub(m[5], m[6]);
  out[1] = hn::MulAdd(constant(0.5F), difference_a,
                      hn::MulAdd(constant(2.0F), difference_c, difference_b));
  out[3] = hn::MulAdd(constant(0.125F), difference_a,
                      hn::MulAdd(constant(8.0F), difference_c, difference_b));
  out[5] = hn::MulAdd(constant(0.03125F), difference_a,
                      hn::MulAdd(constant(32.0F), difference_c, hn::Add(difference_b, m[7])));
}

// As f4::output_transform.
template <Epilogue epilogue_kind, bool with_bias>
HWY_INLINE void output_transform(const float* m, std::int64_t point, const float* bias,
                                 const TileOutput& to, std::int64_t channel) {
  alignas(64) float between[output_size][input_size][lane_count];
  Vector d[input_size];
  Vector out[output_size];
  for (int j = 0; j < input_size; ++j) {
    TESSERA_UNROLL
    for (int i = 0; i < input_size; ++i)
      d[i] = hn::Load(float_lanes, m + (i * input_size + j) * point);
    output_line(d, out);
    TESSERA_UNROLL
    for (int i = 0; i < output_size; ++i) hn::Store(out[i], float_lanes, between[i][j]);
  }
  for (int i = 0; i < output_size; ++i) {
    TESSERA_UNROLL
    for (int j = 0; j < input_size; ++j) d[j] = hn::Load(float_lanes, between[i][j]);
    output_line(d, out);
    const float* residual = to.residual_rows[i] + channel;
    float* row = to.rows[i] + channel;
    TESSERA_UNROLL
    for (int j = 0; j < output_size; ++j) {
      finish<epilogue_kind, with_bias>(out[j], bias, residual + j * to.residual_pixel,
                                       row + j * to.pixel);
    }
  }
}

}  // namespace tessera::engine::HWY_NAMESPACE::f6
HWY_AFTER_NAMESPACE();

#endif
