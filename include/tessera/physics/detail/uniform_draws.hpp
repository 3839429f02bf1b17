// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <numbers>

#include "tessera/physics/detail/normal_draws.hpp"
#include "tessera/physics/detail/philox.hpp"

namespace tessera::detail {

/// The value that Philox4x32-10 has for one counter.
inline std::array<std::uint64_t, 2> philox(std::uint64_t key, std::uint64_t low,
                                           std::uint64_t high) {
  std::array<std::array<std::uint32_t, 1>, 4> words = {
      {{low_half(low)}, {high_half(low)}, {low_half(high)}, {high_half(high)}}};
  philox4x32(words, {low_half(key), high_half(key)});
  return {std::uint64_t{words[1][0]} << 32 | words[0][0],
          std::uint64_t{words[3][0]} << 32 | words[2][0]};
}

/// As many pairs of independent uniform numbers for each element of a measurement as it asks for:
/// functions of seed, stream, the element's index and the pair's, and of nothing else. `purpose`
/// sets apart what draws from one seed and stream.
class ElementDraws {
 public:
  ElementDraws(std::uint64_t seed, std::uint64_t stream, std::uint64_t purpose)
      : key_(philox(seed, stream, purpose)[0]) {}

  struct Pair {
    double first;   ///< in (0, 1]
    double second;  ///< in (0, 1]
  };
  Pair pair(std::int64_t element, std::uint64_t index) const {
    const auto bits = philox(key_, static_cast<std::uint64_t>(element), index);
    return {2 - one_to_two(bits[0]), 2 - one_to_two(bits[1])};
  }

 private:
  std::uint64_t key_;
};

/// log k!, to about 1e-14 relative. (std::lgamma writes to a global variable.)
inline double log_factorial(double k) {
  double product = 1;
  double n = k;
  while (n < 16) product *= ++n;  // k! = n! / product
  const double inverse = 1 / n;
  const double square = inverse * inverse;
  // Stirling's series.
  constexpr std::array<double, 5> series = {1.0 / 12, -1.0 / 360, 1.0 / 1260, -1.0 / 1680,
                                            1.0 / 1188};
  return 0.5 * std::log(2 * std::numbers::pi * n) + n * std::log(n) - n +
         inverse * polynomial(series, square) - std::log(product);
}

/// A draw of the Poisson distribution, mean >= 0 and finite: by inversion for small means, beyond
/// by transformed rejection (PTRS: Hormann, Insurance: Mathematics and Economics 12, 1993).
inline double poisson_draw(const ElementDraws& draws, std::int64_t element, double mean) {
  if (mean < 10) {
    const double u = draws.pair(element, 0).first;
    double probability = std::exp(-mean);
    double sum = probability;
    double k = 0;
    while (u > sum && probability > 0) {
      probability *= mean / ++k;
      sum += probability;
    }
    return k;
  }
  const double b = 0.931 + 2.53 * std::sqrt(mean);
  const double a = -0.059 + 0.02483 * b;
  const double inverse_alpha = 1.1239 + 1.1328 / (b - 3.4);
  const double squeeze = 0.9277 - 3.6224 / (b - 2);
  const double log_mean = std::log(mean);
  for (std::uint64_t i = 0;; ++i) {
    const auto [first, v] = draws.pair(element, i);
    const double u = first - 0.5;
    const double us = 0.5 - std::abs(u);
    const double k = std::floor((2 * a / us + b) * u + mean + 0.43);
    if (us >= 0.07 && v <= squeeze) return k;
    if (!(k >= 0) || (us < 0.013 && v > us)) continue;
    if (std::log(v * inverse_alpha / (a / (us * us) + b)) <= k * log_mean - mean - log_factorial(k))
      return k;
  }
}

}  // namespace tessera::detail
