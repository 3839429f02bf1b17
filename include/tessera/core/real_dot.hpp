// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/ops/dot.h>
#include <ATen/ops/view_as_real.h>

#include <algorithm>
#include <cstdint>

#include "tessera/core/error.hpp"
#include "tessera/core/tensor.hpp"
#include "tessera/core/text.hpp"

namespace tessera {

/// Re sum conj(a) b over all elements: the inner product of images and of measurements, to which
/// adjoints, norms and gradients belong. Complex tensors count as pairs of real numbers.
///
/// Products and sums are in float64 for every dtype, block by block, so that float32 tensors are
/// widened without copies of their size. 0 for tensors of no elements. Never part of a graph.
/// Throws error::ShapeMismatch unless both have one shape and both are real or both complex.
double real_dot(const Tensor& a, const Tensor& b);

namespace detail {

/// The elements as one dimension; pairs of real numbers if complex.
inline Tensor real_elements(const Tensor& a) {
  const Tensor values = a.detach();
  return (values.is_complex() ? at::view_as_real(values.resolve_conj()) : values).reshape({-1});
}

}  // namespace detail

inline double real_dot(const Tensor& a, const Tensor& b) {
  const bool fit = a.defined() && b.defined() && a.sizes() == b.sizes() &&
                   a.is_complex() == b.is_complex() && a.device() == b.device();
  if (!fit) {
    throw error::ShapeMismatch(
        formatted("real_dot: {} and {} have no inner product", describe(a), describe(b)));
  }
  const Tensor left = detail::real_elements(a);
  const Tensor right = a.is_same(b) ? left : detail::real_elements(b);
  // In the caches of a CPU; on other devices, where each call costs a launch, larger.
  const std::int64_t block = left.device().is_cpu() ? std::int64_t{1} << 16 : std::int64_t{1} << 24;
  Tensor sum;
  for (std::int64_t from = 0; from < left.numel(); from += block) {
    const std::int64_t count = std::min(block, left.numel() - from);
    const Tensor wide = left.narrow(0, from, count).to(at::kDouble);
    const Tensor other = left.is_same(right) ? wide : right.narrow(0, from, count).to(at::kDouble);
    const Tensor part = at::dot(wide, other);
    sum = sum.defined() ? sum.add_(part) : part;
  }
  return sum.defined() ? sum.item<double>() : 0.0;
}

}  // namespace tessera
