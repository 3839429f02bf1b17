// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "tessera/comm/box.hpp"

namespace tessera::detail {

/// The box of all axes of which `window` has the last ones. Throws error::InvalidArgument,
/// beginning with "function: path", unless it lies in the shape.
Box checked_window(const char* function, const std::string& path, const Box& window,
                   const Extents& shape);

/// Calls visit(offset, bytes) for the contiguous pieces, in C order, that the window is of an array
/// in C order whose elements of `size` bytes begin at `offset`. The window lies in the shape.
void each_piece(std::uint64_t offset, std::uint64_t size, const Extents& shape, const Box& window,
                const std::function<void(std::uint64_t, std::uint64_t)>& visit);

}  // namespace tessera::detail
