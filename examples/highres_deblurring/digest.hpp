#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "options.hpp"
#include "tessera/core/tensor.hpp"

/// Digests tell contents apart, no more: FNV-1a over 64 bits, 16 hexadecimal digits.

/// Of the values of a tensor, in the order of its elements.
std::string digest_of(const tessera::Tensor& tensor);

/// Of the bytes of a file. Throws error::Io if it cannot be read to its end.
std::string digest_of_file(const std::string& path);

/// Every file that the result depends on: the option that names it ("image", "truth",
/// "measurements", "weights") and its path. The weights are the installed ones once make_network
/// has named them.
std::vector<std::pair<std::string, std::string>> input_files(const Options& options);

/// The digests of their contents, by option. Throws error::Io.
std::map<std::string, std::string> digests_of_inputs(const Options& options);
