// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/ops/randn.h>

#include "tensors.hpp"
#include "tessera/physics/check_adjoint.hpp"

namespace test {

/// Standard normal numbers that depend on `seed` alone.
inline Tensor random(at::IntArrayRef shape, std::uint64_t seed, at::ScalarType type = at::kDouble) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  return at::randn(shape, generator, at::TensorOptions().dtype(at::kDouble)).to(type);
}

using tessera::adjoint_error;

}  // namespace test
