// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "io/input_file.hpp"
#include "tessera/io/window.hpp"

namespace tessera::detail {

/// The window, or that of all of `shape` if it is empty. Throws error::InvalidArgument, beginning
/// with "function: path", unless it lies in the shape.
Window checked_window(const char* function, const std::string& path, const Window& window,
                      const std::vector<std::int64_t>& shape);

std::vector<std::int64_t> extents_of(const Window& window);

/// Reads the window of an array in C order whose elements of `size` bytes begin at `offset`. The
/// window lies in the shape, and the shape in the file.
void read_window(const InputFile& file, std::uint64_t offset, std::uint64_t size,
                 const std::vector<std::int64_t>& shape, const Window& window, void* target);

}  // namespace tessera::detail
