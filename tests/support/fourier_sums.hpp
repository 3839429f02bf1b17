// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/ops/arange.h>
#include <ATen/ops/complex.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/polar.h>
#include <ATen/ops/zeros.h>

#include "adjoint.hpp"
#include "tessera/core/tensor.hpp"

/// What the tests of Fourier transforms at any points share.
namespace test {

using tessera::Extents;

/// Standard normal real and imaginary parts.
inline Tensor complex_random(at::IntArrayRef shape, std::uint64_t seed) {
  return at::complex(random(shape, seed), random(shape, seed + 100));
}

inline Extents with(Extents first, const Extents& extents) {
  first.insert(first.end(), extents.begin(), extents.end());
  return first;
}

/// Points of all of a turn and some beyond.
inline Tensor some_points(std::int64_t count, const Extents& extents, std::uint64_t seed = 5) {
  return 3 * random({count, static_cast<std::int64_t>(extents.size())}, seed);
}

/// exp(-i k_m . n): (M, pixels).
inline Tensor exponentials(const Tensor& points, const Extents& extents) {
  Tensor phase = at::zeros({points.size(0), 1}, at::kDouble);
  for (std::size_t a = 0; a < extents.size(); ++a) {
    const std::int64_t n = extents[a];
    const std::int64_t centre = n / 2;
    const Tensor along = points.select(1, static_cast<std::int64_t>(a)).unsqueeze(1) *
                         (at::arange(n, at::kDouble) - static_cast<double>(centre)).unsqueeze(0);
    phase = (phase.unsqueeze(2) + along.unsqueeze(1)).flatten(1);
  }
  return at::polar(at::ones_like(phase), -phase);
}

}  // namespace test
