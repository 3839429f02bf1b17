// SPDX-License-Identifier: BSD-3-Clause
// Include guards, not #pragma once: a precompiled header restored by a compiler cache remembers
// another time stamp of this file, by which GCC recognises files that it must read only once.
#ifndef TESSERA_TESTS_TENSORS_HPP
#define TESSERA_TESTS_TENSORS_HPP

#include <ATen/ops/arange.h>
#include <ATen/ops/sin.h>

#include <string>
#include <vector>

#include "tessera/core/tensor.hpp"

/// Deterministic inputs and comparisons shared by the tests.
namespace test {

using tessera::Tensor;

/// 0.5 + 0.5 sin(0.37 i + 0.53 j + 1.1 c): the input of the reference numbers, float64, (1,
/// channels, h, w).
inline Tensor sine_image(std::int64_t channels, std::int64_t height, std::int64_t width) {
  const auto options = at::TensorOptions().dtype(at::kDouble);
  const Tensor c = at::arange(channels, options).view({1, -1, 1, 1});
  const Tensor i = at::arange(height, options).view({1, 1, -1, 1});
  const Tensor j = at::arange(width, options).view({1, 1, 1, -1});
  return 0.5 + 0.5 * at::sin(0.37 * i + 0.53 * j + 1.1 * c);
}

/// A tensor whose values encode their global index, all different: sin(0.1 + 0.7 n + phase).
inline Tensor indexed(at::IntArrayRef shape, double phase = 0, at::ScalarType type = at::kDouble) {
  std::int64_t count = 1;
  for (const std::int64_t extent : shape) count *= extent;
  const Tensor n = at::arange(count, at::TensorOptions().dtype(at::kDouble));
  return at::sin(0.1 + 0.7 * n + phase).view(shape).to(type);
}

/// ||a - b|| / ||b||; infinite if the shapes differ.
inline double relative_error(const Tensor& a, const Tensor& b) {
  if (a.sizes() != b.sizes()) return std::numeric_limits<double>::infinity();
  const Tensor reference = b.to(at::kDouble);
  const double scale = reference.norm().item<double>();
  return (a.to(at::kDouble) - reference).norm().item<double>() / (scale > 0 ? scale : 1.0);
}

}  // namespace test

#endif  // TESSERA_TESTS_TENSORS_HPP
