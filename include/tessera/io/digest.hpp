// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>

#include "tessera/core/tensor.hpp"

namespace tessera {

/// Digests tell contents apart, no more: FNV-1a over 64 bits, 16 hexadecimal digits.

/// Of the values of a tensor of any device, in the order of its elements.
std::string digest_of(const Tensor& tensor);

/// Of the bytes of a file. Throws error::Io if it cannot be read to its end.
std::string digest_of_file(const std::string& path);

}  // namespace tessera
