// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <vector>

#include "catch.hpp"
#include "tensors.hpp"

namespace test {

/// What is known of a reference result: its sum, its norm, and elements at five flat indices.
struct Fingerprint {
  double sum;
  double norm;
  std::vector<double> values;  // at 0, 1, n/3, n/2, n-1
};

inline void check_fingerprint(const Tensor& result, const Fingerprint& expected) {
  const Tensor flat = result.reshape({-1}).to(at::kDouble);
  const std::int64_t n = flat.numel();
  CHECK(flat.sum().item<double>() == Approx(expected.sum).epsilon(1e-10).margin(1e-9));
  CHECK(flat.norm().item<double>() == Approx(expected.norm).epsilon(1e-10));
  const std::vector<std::int64_t> indices{0, 1, n / 3, n / 2, n - 1};
  for (std::size_t i = 0; i < indices.size(); ++i) {
    CAPTURE(indices[i]);
    CHECK(flat[indices[i]].item<double>() ==
          Approx(expected.values[i]).epsilon(1e-10).margin(1e-12));
  }
}

}  // namespace test
