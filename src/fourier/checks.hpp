// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "tessera/core/check.hpp"
#include "tessera/core/error.hpp"
#include "tessera/core/tensor.hpp"

namespace tessera::fourier {

inline bool is_complex_type(const Tensor& tensor) {
  return tensor.scalar_type() == at::kComplexFloat || tensor.scalar_type() == at::kComplexDouble;
}

/// `coils`, if they can be the maps of an operator.
inline const Tensor& checked_maps(const Tensor& coils, const char* who) {
  const bool ok = coils.defined() && is_complex_type(coils) && coils.dim() >= 3 &&
                  coils.dim() <= 5 && coils.numel() > 0;
  if (!ok) {
    throw error::ShapeMismatch(formatted(
        "{}: the coil maps are {}, expected complex64 or complex128 (1 or B, coils, spatial...)",
        who, describe(coils)));
  }
  check_finite(coils, who, "the coil maps");
  return coils;
}

}  // namespace tessera::fourier
