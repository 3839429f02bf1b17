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

constexpr std::int64_t kLargestTile = 6;

HWY_INLINE Vector constant(float value) {
  return hn::Set(kFloats, value);
}

// What is done to an output vector before it is stored at out; residual: where out's residual lies.
template <Epilogue kEpilogue, bool kBias>
HWY_INLINE void finish(Vector value, const float* bias, const float* residual, float* out) {
  if constexpr (kBias) value = hn::Add(value, hn::LoadU(kFloats, bias));
  if constexpr (kEpilogue == Epilogue::relu) value = at_least(hn::Zero(kFloats), value);
  if constexpr (kEpilogue == Epilogue::add) value = hn::Add(value, hn::LoadU(kFloats, residual));
  hn::StoreU(value, kFloats, out);
}

// Where a tile's output goes: the first pixel of each of its rows.
struct TileOutput {
  float* rows[kLargestTile];
  const float* residual_rows[kLargestTile];
  std::int64_t pixel;  // floats from pixel to pixel
  std::int64_t residual_pixel;
};

namespace f4 {

constexpr std::int64_t kTileInput = 6;

// The interpolation points besides 0 and infinity: +-kA and +-kB; kA kB = 1, kA^2 + kB^2 = 5/2.
constexpr float kA = 0.70710678118654752440F;
constexpr float kB = 1.41421356237309504880F;

// Outputs 0 and 5, 1 and 2, or 3 and 4 of B^T d, for d = 6 vectors `stride` floats apart. In pairs,
// because two rows of six intermediate values are what 16 registers hold; loading d again from the
// first cache is cheaper than storing intermediate values.
template <int kPair>
HWY_INLINE void input_pair(const float* d, std::int64_t stride, Vector& first, Vector& second) {
  const Vector d1 = hn::LoadU(kFloats, d + stride);
  const Vector d2 = hn::LoadU(kFloats, d + 2 * stride);
  const Vector d3 = hn::LoadU(kFloats, d + 3 * stride);
  const Vector d4 = hn::LoadU(kFloats, d + 4 * stride);
  if constexpr (kPair == 0) {
    const Vector d0 = hn::LoadU(kFloats, d);
    const Vector d5 = hn::LoadU(kFloats, d + 5 * stride);
    first = hn::MulAdd(constant(-2.5F), d2, hn::Add(d0, d4));
    second = hn::MulAdd(constant(-2.5F), d3, hn::Add(d1, d5));
  } else {
    const Vector inner = constant(kPair == 1 ? -2.0F : -0.5F);
    const Vector even = hn::MulAdd(inner, d2, d4);
    const Vector odd = hn::MulAdd(inner, d1, d3);
    first = hn::MulAdd(constant(kPair == 1 ? kA : kB), odd, even);
    second = hn::MulAdd(constant(kPair == 1 ? -kA : -kB), odd, even);
  }
}

// B^T d for six vectors in registers; output i goes to v + i * stride.
HWY_INLINE void input_column(const Vector* d, float* v, std::int64_t stride) {
  const Vector outer = constant(-2.5F);
  hn::Store(hn::MulAdd(outer, d[2], hn::Add(d[0], d[4])), kFloats, v);
  hn::Store(hn::MulAdd(outer, d[3], hn::Add(d[1], d[5])), kFloats, v + 5 * stride);
  const Vector even_a = hn::MulAdd(constant(-2.0F), d[2], d[4]);
  const Vector odd_a = hn::MulAdd(constant(-2.0F), d[1], d[3]);
  hn::Store(hn::MulAdd(constant(kA), odd_a, even_a), kFloats, v + stride);
  hn::Store(hn::MulAdd(constant(-kA), odd_a, even_a), kFloats, v + 2 * stride);
  const Vector even_b = hn::MulAdd(constant(-0.5F), d[2], d[4]);
  const Vector odd_b = hn::MulAdd(constant(-0.5F), d[1], d[3]);
  hn::Store(hn::MulAdd(constant(kB), odd_b, even_b), kFloats, v + 3 * stride);
  hn::Store(hn::MulAdd(constant(-kB), odd_b, even_b), kFloats, v + 4 * stride);
}

template <int kPair>
HWY_INLINE void input_columns(const float* const* rows, std::int64_t pixel, std::int64_t channel,
                              float* v, std::int64_t point) {
  constexpr int kFirst = kPair == 0 ? 0 : 2 * kPair - 1;
  constexpr int kSecond = kPair == 0 ? 5 : 2 * kPair;
  Vector first[kTileInput];
  Vector second[kTileInput];
  TESSERA_UNROLL
  for (int i = 0; i < kTileInput; ++i) {
    input_pair<kPair>(rows[i] + channel, pixel, first[i], second[i]);
  }
  input_column(first, v + kFirst * point, kTileInput * point);
  input_column(second, v + kSecond * point, kTileInput * point);
}

// Transforms one tile and one vector of channels. rows: the first pixel of each of the six rows;
// pixel: floats from pixel to pixel; point: floats from transformed value to value.
HWY_INLINE void input_transform(const float* const* rows, std::int64_t pixel, std::int64_t channel,
                                float* v, std::int64_t point) {
  input_columns<0>(rows, pixel, channel, v, point);
  input_columns<1>(rows, pixel, channel, v, point);
  input_columns<2>(rows, pixel, channel, v, point);
}

// Rows 0 and 2 (kOdd false) or 1 and 3 (kOdd true) of A^T m, for m = 6 vectors `stride` floats
// apart.
template <bool kOdd>
HWY_INLINE void output_pair(const float* m, std::int64_t stride, Vector& first, Vector& second) {
  const Vector m1 = hn::Load(kFloats, m + stride);
  const Vector m2 = hn::Load(kFloats, m + 2 * stride);
  const Vector m3 = hn::Load(kFloats, m + 3 * stride);
  const Vector m4 = hn::Load(kFloats, m + 4 * stride);
  if constexpr (!kOdd) {
    const Vector sum_a = hn::Add(m1, m2);
    const Vector sum_b = hn::Add(m3, m4);
    first = hn::Add(hn::Load(kFloats, m), hn::Add(sum_a, sum_b));
    second = hn::MulAdd(constant(2.0F), sum_b, hn::Mul(constant(0.5F), sum_a));
  } else {
    const Vector difference_a = hn::Sub(m1, m2);
    const Vector difference_b = hn::Sub(m3, m4);
    first = hn::MulAdd(constant(kB), difference_b, hn::Mul(constant(kA), difference_a));
    second =
        hn::MulAdd(constant(2 * kB), difference_b,
                   hn::MulAdd(constant(kA / 2), difference_a, hn::Load(kFloats, m + 5 * stride)));
  }
}

template <Epilogue kEpilogue, bool kBias>
HWY_INLINE void output_row(const Vector* z, const float* bias, const float* residual,
                           std::int64_t residual_pixel, float* out, std::int64_t pixel) {
  const Vector sum_a = hn::Add(z[1], z[2]);
  const Vector sum_b = hn::Add(z[3], z[4]);
  const Vector difference_a = hn::Sub(z[1], z[2]);
  const Vector difference_b = hn::Sub(z[3], z[4]);
  finish<kEpilogue, kBias>(hn::Add(z[0], hn::Add(sum_a, sum_b)), bias, residual, out);
  finish<kEpilogue, kBias>(
      hn::MulAdd(constant(kB), difference_b, hn::Mul(constant(kA), difference_a)), bias,
      residual + residual_pixel, out + pixel);
  finish<kEpilogue, kBias>(hn::MulAdd(constant(2.0F), sum_b, hn::Mul(constant(0.5F), sum_a)), bias,
                           residual + 2 * residual_pixel, out + 2 * pixel);
  finish<kEpilogue, kBias>(
      hn::MulAdd(constant(2 * kB), difference_b, hn::MulAdd(constant(kA / 2), difference_a, z[5])),
      bias, residual + 3 * residual_pixel, out + 3 * pixel);
}

template <bool kOdd, Epilogue kEpilogue, bool kBias>
HWY_INLINE void output_rows(const float* m, std::int64_t point, const float* bias,
                            const TileOutput& to, std::int64_t channel) {
  Vector first[kTileInput];
  Vector second[kTileInput];
  TESSERA_UNROLL
  for (int j = 0; j < kTileInput; ++j) {
    output_pair<kOdd>(m + j * point, kTileInput * point, first[j], second[j]);
  }
  constexpr int kRow = kOdd ? 1 : 0;
  output_row<kEpilogue, kBias>(first, bias, to.residual_rows[kRow] + channel, to.residual_pixel,
                               to.rows[kRow] + channel, to.pixel);
  output_row<kEpilogue, kBias>(second, bias, to.residual_rows[kRow + 2] + channel,
                               to.residual_pixel, to.rows[kRow + 2] + channel, to.pixel);
}

// Transforms one tile and one vector of channels back. m: its products, `point` floats apart.
template <Epilogue kEpilogue, bool kBias>
HWY_INLINE void output_transform(const float* m, std::int64_t point, const float* bias,
                                 const TileOutput& to, std::int64_t channel) {
  output_rows<false, kEpilogue, kBias>(m, point, bias, to, channel);
  output_rows<true, kEpilogue, kBias>(m, point, bias, to, channel);
}

}  // namespace f4

}  // namespace tessera::engine::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
