// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <concepts>
#include <cstring>
#include <string_view>

#include "tessera/core/error.hpp"

namespace tessera::detail {

/// Reads little-endian numbers one after the other; throws error::Io past the end.
class ByteCursor {
 public:
  explicit ByteCursor(std::string_view bytes) : bytes_(bytes) {}

  std::size_t left() const { return bytes_.size(); }

  std::string_view take(std::size_t count) {
    if (count > bytes_.size()) throw error::Io("is truncated or damaged: a record ends too early");
    const std::string_view taken = bytes_.substr(0, count);
    bytes_.remove_prefix(count);
    return taken;
  }

  template <std::integral Number>
  Number number() {
    Number value = 0;
    std::memcpy(&value, take(sizeof value).data(), sizeof value);
    return value;
  }

  /// The bytes up to a new line, without it.
  std::string_view line() {
    const std::size_t end = bytes_.find('\n');
    if (end == std::string_view::npos)
      throw error::Io("is truncated or damaged: a line does not end");
    const std::string_view taken = take(end + 1);
    return taken.substr(0, end);
  }

 private:
  std::string_view bytes_;
};

}  // namespace tessera::detail
