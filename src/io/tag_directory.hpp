// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace tessera::detail {

/// The first directory of a TIFF structure in memory, as EXIF data and multi-picture indices are.
/// What is damaged counts as missing: pixels do not depend on it.
class TagDirectory {
 public:
  explicit TagDirectory(std::string_view bytes);

  /// The value of a tag, one number of 16 or 32 bits.
  std::optional<std::uint32_t> number(std::uint16_t tag) const;
  /// The value of a tag, more than four bytes of no type; empty if there is none.
  std::string_view bytes(std::uint16_t tag) const;
  /// The 32-bit number at `offset` of `text`, in the byte order of this structure.
  std::uint32_t u32(std::string_view text, std::size_t offset) const;

 private:
  std::uint16_t u16(std::string_view text, std::size_t offset) const;
  /// The twelve bytes of an entry; empty if there is none.
  std::string_view entry(std::uint16_t tag) const;

  std::string_view bytes_;
  std::string_view entries_;
  bool little_ = true;
};

/// Orientation 1 to 8 that EXIF data ask for; 1 if they do not, or ask for another.
int exif_orientation(std::string_view exif);

}  // namespace tessera::detail
