// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <bit>
#include <cstdint>

#include "tessera/core/tensor.hpp"

namespace tessera::detail {

static_assert(std::endian::native == std::endian::little,
              "tensors are copied between memory and little-endian files as they are");

/// The tensor as a contiguous one on the host, with conjugation and negation bits resolved.
Tensor host_copy(const Tensor& tensor);

/// An uninitialised contiguous host tensor. Throws error::Io if its byte count does not fit 63
/// bits.
Tensor host_tensor(const std::vector<std::int64_t>& shape, at::ScalarType type);

/// Number of elements of a shape; throws error::Io for a negative extent, more than 64 dimensions
/// or more elements than 2^56 (extents of zero left out).
std::int64_t checked_count(const std::vector<std::int64_t>& shape);

}  // namespace tessera::detail
