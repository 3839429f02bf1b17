// SPDX-License-Identifier: BSD-3-Clause
#include "tessera/io/intensities.hpp"

#include <ATen/ops/aminmax.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "tessera/core/check.hpp"
#include "tessera/core/error.hpp"

namespace tessera {

namespace {

constexpr double overshoot = 0.01;    // of interpolation
constexpr double other_scale = 0.5;   // beyond 0 to 1
constexpr double reach_of_noise = 5;  // standard deviations
constexpr double dark = 0.1;

std::string how_to_map(double low, double high) {
  if (low < 0 && low >= -1.5 && high <= 1.5) return "; map -1 to 1 by (x + 1) / 2";
  if (low >= 0 && high > 2 && high <= 255) return "; divide 8 bits by 255";
  if (low >= 0 && high > 255 && high <= 65535) return "; divide 16 bits by 65535";
  return "";
}

}  // namespace

std::string check_intensities(const std::string& who, const Tensor& values, double noise_level) {
  if (values.numel() == 0) return "";
  const auto [least, largest] = at::aminmax(values);
  const double low = least.item<double>();
  const double high = largest.item<double>();
  if (!std::isfinite(low) || !std::isfinite(high)) check_finite(values, who, "the file");
  const double excess = std::max(-low, high - 1) - reach_of_noise * noise_level;
  const std::string found =
      fmt::format("{}: intensities reach from {:.5g} to {:.5g}", who, low, high);
  if (excess > other_scale) {
    throw error::InvalidArgument(
        fmt::format("{}, expected 0 to 1{}", found, how_to_map(low, high)));
  }
  if (excess > overshoot) {
    return fmt::format("{}, expected 0 to 1: what lies outside cannot be restored", found);
  }
  if (high < dark) {
    return fmt::format("{} of 1 only: 12 bits in a file of 16, perhaps. Brighten them first",
                       found);
  }
  return "";
}

}  // namespace tessera
