#pragma once

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/ops/randn.h>

#include <algorithm>
#include <cmath>

#include "tensors.hpp"
#include "tessera/physics/linear_physics.hpp"

namespace test {

/// Standard normal numbers that depend on `seed` alone.
inline Tensor random(at::IntArrayRef shape, std::uint64_t seed, at::ScalarType type = at::kDouble) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  return at::randn(shape, generator, at::TensorOptions().dtype(at::kDouble)).to(type);
}

/// |<A x, v> - <x, A^T v>| / (||A x|| ||v||) for random x like `image` and random v: at rounding
/// level for an exact adjoint, of order one otherwise.
inline double adjoint_error(const tessera::LinearPhysics& physics, const Tensor& image,
                            std::uint64_t seed = 1) {
  const auto inner = [](const Tensor& a, const Tensor& b) {
    return (a.to(at::kDouble) * b.to(at::kDouble)).sum().item<double>();
  };
  const Tensor x = random(image.sizes(), seed).to(image.options());
  const tessera::TensorList y = physics.forward(x);
  tessera::TensorList v;
  double forward = 0;
  double y_norm = 0;
  double v_norm = 0;
  for (std::size_t i = 0; i < y.size(); ++i) {
    v.push_back(random(y[i].sizes(), seed + 1 + i).to(y[i].options()));
    forward += inner(y[i], v[i]);
    y_norm += inner(y[i], y[i]);
    v_norm += inner(v[i], v[i]);
  }
  const double backward = inner(x, physics.adjoint(v));
  return std::abs(forward - backward) / std::max(std::sqrt(y_norm * v_norm), 1e-300);
}

}  // namespace test
