// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <optional>
#include <string>

#include "tessera/core/tensor.hpp"

namespace tessera::detail {

/// All of a .npy file (version 1, C order, little-endian) before its elements; nothing for dtypes
/// that NumPy does not know.
std::optional<std::string> npy_header(at::ScalarType type, at::IntArrayRef shape);

}  // namespace tessera::detail
