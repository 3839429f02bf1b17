// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <span>

#include "tessera/physics/detail/philox.hpp"

namespace tessera::detail {

/// Independent N(0, 1) draws number first, first + 1, ... of `stream` of `seed`. Draw n is a
/// function of seed, stream and n alone, computed in double precision: elements 2 k and 2 k + 1 are
/// the Box-Muller pair of the value that Philox4x32-10 has, under the key `seed`, for the counter
/// (k, stream).
template <typename T>
void fill_normal(std::span<T> draws, std::uint64_t seed, std::uint64_t stream, std::uint64_t first);

inline constexpr std::size_t normal_pairs = 64;  // per block

inline std::uint32_t low_half(std::uint64_t word) {
  return static_cast<std::uint32_t>(word);
}
inline std::uint32_t high_half(std::uint64_t word) {
  return static_cast<std::uint32_t>(word >> 32);
}

/// The 52 leading bits as a number in [1, 2).
inline double one_to_two(std::uint64_t bits) {
  return std::bit_cast<double>(0x3FF0000000000000U | (bits >> 12));
}

/// c[0] + c[1] x + c[2] x^2 + ...
template <std::size_t n>
double polynomial(const std::array<double, n>& c, double x) {
  double sum = c[n - 1];
  for (std::size_t k = n - 1; k-- > 0;) sum = sum * x + c[k];
  return sum;
}

/// -log(u), u a normal number in (0, 1], to about 1 ulp. With u = m 2^e, m in [sqrt(1/2), sqrt(2)),
/// and s = (m - 1) / (m + 1): log m = 2 atanh(s) = 2 s (1 + s^2 / 3 + s^4 / 5 + ...).
inline double minus_log(double u) {
  constexpr std::array<double, 11> series = {1.0,      1.0 / 3,  1.0 / 5,  1.0 / 7,
                                             1.0 / 9,  1.0 / 11, 1.0 / 13, 1.0 / 15,
                                             1.0 / 17, 1.0 / 19, 1.0 / 21};
  constexpr double two_to_52 = 4503599627370496.0;
  const auto bits = std::bit_cast<std::uint64_t>(u);
  const double mantissa = std::bit_cast<double>(0x3FF0000000000000U | (bits & 0xFFFFFFFFFFFFFU));
  const bool upper = mantissa > std::numbers::sqrt2;
  const double m = upper ? 0.5 * mantissa : mantissa;
  // The exponent as a number, without an instruction that few processors have for vectors.
  const double biased = std::bit_cast<double>(0x4330000000000000U | (bits >> 52)) - two_to_52;
  const double exponent = biased - (upper ? 1022.0 : 1023.0);
  const double s = (m - 1) / (m + 1);
  return -(2 * s * polynomial(series, s * s) + exponent * std::numbers::ln2);
}

/// cos and sin of 2 pi turns, turns in [0, 1): Taylor's series within an eighth of a turn around
/// the nearest quarter.
struct Direction {
  double cos;
  double sin;
};
inline Direction direction(double turns) {
  constexpr std::array<double, 9> sine = {1.0,
                                          -1.0 / 6,
                                          1.0 / 120,
                                          -1.0 / 5040,
                                          1.0 / 362880,
                                          -1.0 / 39916800,
                                          1.0 / 6227020800,
                                          -1.0 / 1307674368000,
                                          1.0 / 355687428096000};
  constexpr std::array<double, 9> cosine = {1.0,
                                            -1.0 / 2,
                                            1.0 / 24,
                                            -1.0 / 720,
                                            1.0 / 40320,
                                            -1.0 / 3628800,
                                            1.0 / 479001600,
                                            -1.0 / 87178291200,
                                            1.0 / 20922789888000};
  constexpr double to_integer = 6755399441055744.0;              // 1.5 * 2^52: adding it rounds
  const double quarter = (4 * turns + to_integer) - to_integer;  // 0, 1, 2, 3 or 4
  const double angle = (4 * turns - quarter) * (0.5 * std::numbers::pi);
  const double square = angle * angle;
  const double s = angle * polynomial(sine, square);
  const double c = polynomial(cosine, square);
  const bool odd = std::abs(std::abs(quarter - 2) - 1) < 0.5;
  const double x = odd ? s : c;
  const double y = odd ? c : s;
  return {std::abs(quarter - 1.5) < 1 ? -x : x, std::abs(quarter - 2.5) < 1 ? -y : y};
}

/// The normal_pairs k, k + 1, ... of a stream.
inline void fill_block(std::array<double, 2 * normal_pairs>& draws, std::uint64_t seed,
                       std::uint64_t stream, std::uint64_t k) {
  std::array<std::array<std::uint32_t, normal_pairs>, 4> words;
  for (std::size_t i = 0; i < normal_pairs; ++i) {
    words[0][i] = low_half(k + i);
    words[1][i] = high_half(k + i);
    words[2][i] = low_half(stream);
    words[3][i] = high_half(stream);
  }
  philox4x32(words, {low_half(seed), high_half(seed)});
  std::array<double, normal_pairs> radius;
  std::array<double, normal_pairs> turns;
  for (std::size_t i = 0; i < normal_pairs; ++i) {
    radius[i] = 2 - one_to_two(std::uint64_t{words[1][i]} << 32 | words[0][i]);
    turns[i] = one_to_two(std::uint64_t{words[3][i]} << 32 | words[2][i]) - 1;
  }
  for (std::size_t i = 0; i < normal_pairs; ++i) radius[i] = std::sqrt(2 * minus_log(radius[i]));
  for (std::size_t i = 0; i < normal_pairs; ++i) {
    const Direction unit = direction(turns[i]);
    draws[2 * i] = radius[i] * unit.cos;
    draws[2 * i + 1] = radius[i] * unit.sin;
  }
}

template <typename T>
void fill_normal(std::span<T> draws, std::uint64_t seed, std::uint64_t stream,
                 std::uint64_t first) {
  std::array<double, 2 * normal_pairs> block;
  std::uint64_t skipped = first % 2;
  std::uint64_t pair = first / 2;
  for (std::size_t begin = 0; begin < draws.size();) {
    fill_block(block, seed, stream, pair);
    const std::size_t count =
        std::min<std::size_t>(draws.size() - begin, 2 * normal_pairs - skipped);
    for (std::size_t i = 0; i < count; ++i) {
      draws[begin + i] = static_cast<T>(block[skipped + i]);
    }
    begin += count;
    pair += normal_pairs;
    skipped = 0;
  }
}

}  // namespace tessera::detail
