// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/ops/randn.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "tessera/core/error.hpp"
#include "tessera/core/real_dot.hpp"
#include "tessera/core/text.hpp"
#include "tessera/physics/linear_physics.hpp"

namespace tessera {

/// How far adjoint() is from the transpose of forward(), by the dot test: |<A x, v> - <x, A^T v>| /
/// (||A x|| ||v||) for a random x like `image` and random v of the measurements' shapes. At the
/// level of rounding for an exact adjoint, of order one for a wrong one. Products are those of
/// real_dot. Collective if distributed.
double adjoint_error(const LinearPhysics& physics, const Tensor& image, std::uint64_t seed = 1);

/// Throws error::InvalidArgument, on every rank, if adjoint_error() exceeds `tolerance`: what a
/// test of an operator of one's own calls, for odd sizes too. 1e-10 suits float64, 1e-4 float32.
/// Collective if distributed.
void check_adjoint(const LinearPhysics& physics, const Tensor& image, double tolerance = 1e-10);

namespace detail {

inline Tensor normal_like(const Tensor& tensor, std::uint64_t seed) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  const auto type = tensor.is_complex() ? at::kComplexDouble : at::kDouble;
  return at::randn(tensor.sizes(), generator, at::TensorOptions().dtype(type)).to(tensor.options());
}

}  // namespace detail

inline double adjoint_error(const LinearPhysics& physics, const Tensor& image, std::uint64_t seed) {
  const Tensor x = detail::normal_like(image, seed);
  const TensorList y = physics.forward(x);
  const std::vector<std::int64_t> held = physics.held();
  TensorList v;
  double product = 0;
  double y_squared = 0;
  double v_squared = 0;
  for (std::size_t i = 0; i < y.size(); ++i) {
    v.push_back(detail::normal_like(y[i], seed + 1 + static_cast<std::uint64_t>(held[i])));
    product += real_dot(y[i], v[i]);
    y_squared += real_dot(y[i], y[i]);
    v_squared += real_dot(v[i], v[i]);
  }
  const double difference = physics.sum(product) - real_dot(x, physics.adjoint(v));
  const double scale = std::sqrt(physics.sum(y_squared)) * std::sqrt(physics.sum(v_squared));
  return std::abs(difference) / std::max(scale, 1e-300);
}

inline void check_adjoint(const LinearPhysics& physics, const Tensor& image, double tolerance) {
  const double error = adjoint_error(physics, image);
  if (!(error <= tolerance)) {
    throw error::InvalidArgument(formatted(
        "{}: adjoint is not the transpose of forward: <A x, v> and <x, A^T v> differ by {:.2g} of "
        "||A x|| ||v||, expected at most {:.2g}",
        physics.name(), error, tolerance));
  }
}

}  // namespace tessera
