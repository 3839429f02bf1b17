// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "tessera/core/tensor.hpp"

/// Elementwise, float32 on the host: an odd function, linear between its knots, with `values` at 0,
/// spacing, 2 spacing, ..., at least two, and constant beyond; that of tessera::detail::OddSpline
/// where they are returning_to_zero(). Differentiable in both. One pass over memory, where
/// LibTorch's operations need ten.
tessera::Tensor odd_spline(const tessera::Tensor& u, const tessera::Tensor& values, float spacing);
