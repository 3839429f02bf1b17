// SPDX-License-Identifier: BSD-3-Clause
#include "fourier/gridding_kernel.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numbers>

namespace tessera::fourier {

namespace {

using std::numbers::pi;

/// I0(sqrt(square)), by its power series: all terms are positive.
double bessel_i0_of_root(double square) {
  double term = 1;
  double sum = 1;
  for (int k = 1; term > 1e-18 * sum; ++k) {
    term *= square / (4.0 * k * k);
    sum += term;
  }
  return sum;
}

/// The coefficients, lowest power first, of the polynomial that equals `f` at `count` Chebyshev
/// nodes of [-1, 1].
template <typename Function>
std::vector<double> interpolated(const Function& f, std::size_t count) {
  std::vector<double> result(count, 0);
  std::vector<double> previous(count, 0);  // Chebyshev polynomials, by their recurrence
  std::vector<double> current(count, 0);
  current[0] = 1;
  const auto n = static_cast<double>(count);
  for (std::size_t k = 0; k < count; ++k) {
    double sum = 0;
    for (std::size_t j = 0; j < count; ++j) {
      const double angle = pi * (static_cast<double>(j) + 0.5) / n;
      sum += f(std::cos(angle)) * std::cos(static_cast<double>(k) * angle);
    }
    const double share = (k == 0 ? 1 : 2) * sum / n;
    std::vector<double> next(count, 0);
    for (std::size_t i = 0; i < count; ++i) {
      result[i] += share * current[i];
      if (i > 0) next[i] = (k == 0 ? 1 : 2) * current[i - 1];
      next[i] -= k == 0 ? 0 : previous[i];
    }
    previous = current;
    current = next;
  }
  return result;
}

}  // namespace

int GriddingKernel::width_for(double tolerance) {
  const auto digits = static_cast<int>(std::ceil(-std::log10(tolerance) - 1e-9));
  return std::clamp(digits + 1, least_width, most_width);
}

GriddingKernel::GriddingKernel(int width)
    : width_(width), beta_(pi * std::sqrt(0.5625 * width * width - 0.8)) {
  const auto count = static_cast<std::size_t>(degree(width)) + 1;
  const auto cells = static_cast<std::size_t>(width);
  coefficients_.resize(count * cells);
  for (std::size_t cell = 0; cell < cells; ++cell) {
    const auto value = [&](double u) {
      return at(2 * (static_cast<double>(cell) + 0.5 * (u + 1)) / width_ - 1);
    };
    const std::vector<double> powers = interpolated(value, count);
    for (std::size_t i = 0; i < count; ++i) {
      coefficients_[(count - 1 - i) * cells + cell] = powers[i];
    }
  }
}

double GriddingKernel::at(double z) const {
  return bessel_i0_of_root(beta_ * beta_ * (1 - z * z)) / bessel_i0_of_root(beta_ * beta_);
}

double GriddingKernel::transform(double frequency) const {
  const double turns = pi * width_ * frequency;
  const double root = std::sqrt(beta_ * beta_ - turns * turns);  // |frequency| <= 1/4
  return width_ * std::sinh(root) / root / bessel_i0_of_root(beta_ * beta_);
}

}  // namespace tessera::fourier
