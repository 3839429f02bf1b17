// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/ops/view_as_complex.h>
#include <ATen/ops/view_as_real.h>

#include "tessera/core/tensor.hpp"

namespace tessera {

/// Images with complex values are real tensors here, pairs of channels re, im, re, im, ..., so that
/// denoisers, priors and solvers know one kind of image.
///
/// (B, 2 C, ...) float32 or float64 with channels in pairs as complex (B, C, ...). Throws
/// error::ShapeMismatch for another tensor.
Tensor to_complex(const Tensor& x);

/// The way back: complex (B, C, ...) as (B, 2 C, ...). Throws error::ShapeMismatch for a tensor
/// that is not complex.
Tensor from_complex(const Tensor& z);

inline Tensor to_complex(const Tensor& x) {
  const bool ok = x.defined() && (x.scalar_type() == at::kFloat || x.scalar_type() == at::kDouble);
  if (!ok || x.dim() < 2 || x.size(1) % 2 != 0) {
    throw error::ShapeMismatch(formatted(
        "to_complex: x is {}, expected float32 or float64 with pairs of channels, re and im",
        describe(x)));
  }
  return at::view_as_complex(x.unflatten(1, {-1, 2}).movedim(2, -1).contiguous());
}

inline Tensor from_complex(const Tensor& z) {
  if (!z.defined() || !z.is_complex() || z.dim() < 2) {
    throw error::ShapeMismatch(formatted(
        "from_complex: z is {}, expected a complex tensor with batch and channels", describe(z)));
  }
  return at::view_as_real(z.resolve_conj()).movedim(-1, 2).flatten(1, 2).contiguous();
}

}  // namespace tessera
