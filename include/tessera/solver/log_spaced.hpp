// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "tessera/core/check.hpp"
#include "tessera/core/error.hpp"

namespace tessera {

/// `count` numbers from `first` to `last`, each the same factor from the one before: a schedule of
/// noise levels. One number: `last`. Throws error::InvalidArgument unless both are positive
/// and finite and count >= 1.
std::vector<double> log_spaced(double first, double last, std::int64_t count);

inline std::vector<double> log_spaced(double first, double last, std::int64_t count) {
  check_positive(first, "log_spaced", "first");
  check_positive(last, "log_spaced", "last");
  if (count < 1) {
    throw error::InvalidArgument("log_spaced: count is " + std::to_string(count) +
                                 ", expected at least 1");
  }
  std::vector<double> numbers;
  for (std::int64_t k = 0; k < count; ++k) {
    const double t = count == 1 ? 1.0 : static_cast<double>(k) / static_cast<double>(count - 1);
    numbers.push_back(first * std::pow(last / first, t));
  }
  return numbers;
}

}  // namespace tessera
