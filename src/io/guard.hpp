// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>
#include <string_view>
#include <utility>

namespace tessera::detail {

/// Rethrows the exception being handled as error::Io "function: path: cause";
/// error::InvalidArgument passes unchanged.
[[noreturn]] void rethrow_as_io(const char* function, const std::string& path);

/// Runs body(), which throws bare causes, and adds function and file to them.
template <class Body>
decltype(auto) in_file(const char* function, const std::string& path, Body&& body) {
  try {
    return std::forward<Body>(body)();
  } catch (...) {
    rethrow_as_io(function, path);
  }
}

/// Text from a file for a message: in quotes, shortened, everything but printable ASCII escaped.
std::string in_quotes(std::string_view text);

}  // namespace tessera::detail
