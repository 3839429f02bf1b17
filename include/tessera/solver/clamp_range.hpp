// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/ops/clamp.h>

#include <optional>
#include <utility>

#include "tessera/core/tensor.hpp"

namespace tessera {

/// The smallest and the largest intensity that an iterate may have; an end may be infinite, as in
/// {0, inf}. nullopt: any.
using ClampRange = std::optional<std::pair<double, double>>;

/// x, clamped to the range if there is one.
inline Tensor clamped(const Tensor& x, const ClampRange& range) {
  return range ? at::clamp(x, range->first, range->second) : x;
}

}  // namespace tessera
