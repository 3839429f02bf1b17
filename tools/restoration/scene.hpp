// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "tessera/core/tensor.hpp"

namespace restoration {

/// A picture for machines without a photograph, (1, 3, 5/8 size, size) float32: soft ground, discs
/// with sharp edges, and gratings from coarse to fine, so that both edges and texture can be seen
/// to return.
tessera::Tensor synthetic_scene(std::int64_t size);

}  // namespace restoration
