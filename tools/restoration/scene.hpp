// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>

#include "tessera/comm/box.hpp"
#include "tessera/core/tensor.hpp"

namespace restoration {

/// A picture for machines without a photograph, (1, 3, 5/8 size, size) float32: soft ground, discs
/// with sharp edges, and gratings from coarse to fine, so that both edges and texture can be seen
/// to return.
tessera::Tensor synthetic_scene(std::int64_t size);
/// A box of it, (1, 3, extents of the box), to the bit.
tessera::Tensor synthetic_scene(std::int64_t size, const tessera::Box& box);
/// Its extents, {5/8 size, size}.
tessera::Extents scene_extents(std::int64_t size);

}  // namespace restoration
