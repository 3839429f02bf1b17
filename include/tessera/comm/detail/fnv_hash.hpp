// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <string_view>

namespace tessera::detail {

/// FNV-1a over 64 bits, to tell apart what ranks have; no defence against anybody.
class FnvHash {
 public:
  void add(std::uint64_t value) { hash_ = (hash_ ^ value) * 1099511628211u; }
  void add(std::string_view text) {
    for (const char letter : text) add(static_cast<unsigned char>(letter));
  }
  /// In [0, 2^62), so that its negative is a number too.
  std::int64_t value() const { return static_cast<std::int64_t>(hash_ >> 2); }

 private:
  std::uint64_t hash_ = 14695981039346656037u;
};

}  // namespace tessera::detail
