#pragma once

#include <map>
#include <string>

#include "options.hpp"
#include "tessera/core/tensor.hpp"

/// Digests tell contents apart, no more: FNV-1a over 64 bits, 16 hexadecimal digits.

/// Of the values of a tensor, in the order of its elements.
std::string digest_of(const tessera::Tensor& tensor);

/// Of the bytes of a file. Throws error::Io if it cannot be read to its end.
std::string digest_of_file(const std::string& path);

/// Of every file that the result depends on: the names of the options that name one ("image",
/// "truth", "measurements", "weights") with the digests of their contents. The weights are the
/// installed ones once make_network has named them. Throws error::Io.
std::map<std::string, std::string> digests_of_inputs(const Options& options);
