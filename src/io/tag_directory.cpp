// SPDX-License-Identifier: BSD-3-Clause
#include "io/tag_directory.hpp"

#include <algorithm>

namespace tessera::detail {

namespace {

constexpr std::size_t entry_size = 12;  // tag, type, count, value or its offset
enum Type : std::uint16_t { type_short = 3, type_long = 4, type_undefined = 7 };

}  // namespace

TagDirectory::TagDirectory(std::string_view bytes) : bytes_(bytes) {
  if (bytes_.size() < 8) return;
  little_ = bytes_.front() == 'I';
  const std::size_t start = u32(bytes_, 4);
  if (start > bytes_.size() - 2) return;
  const std::string_view rest = bytes_.substr(start + 2);
  entries_ = rest.substr(
      0, entry_size * std::min<std::size_t>(u16(bytes_, start), rest.size() / entry_size));
}

std::optional<std::uint32_t> TagDirectory::number(std::uint16_t tag) const {
  const std::string_view found = entry(tag);
  if (found.empty() || u32(found, 4) != 1) return std::nullopt;
  if (u16(found, 2) == type_short) return u16(found, 8);
  if (u16(found, 2) == type_long) return u32(found, 8);
  return std::nullopt;
}

std::string_view TagDirectory::bytes(std::uint16_t tag) const {
  const std::string_view found = entry(tag);
  if (found.empty() || u16(found, 2) != type_undefined) return {};
  const std::size_t count = u32(found, 4);
  const std::size_t offset = u32(found, 8);
  if (count <= 4 || offset > bytes_.size() || count > bytes_.size() - offset) return {};
  return bytes_.substr(offset, count);
}

std::uint16_t TagDirectory::u16(std::string_view text, std::size_t offset) const {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[offset + i]); };
  return static_cast<std::uint16_t>(little_ ? byte(0) | byte(1) << 8 : byte(0) << 8 | byte(1));
}

std::uint32_t TagDirectory::u32(std::string_view text, std::size_t offset) const {
  const std::uint32_t first = u16(text, offset);
  const std::uint32_t second = u16(text, offset + 2);
  return little_ ? first | second << 16 : first << 16 | second;
}

std::string_view TagDirectory::entry(std::uint16_t tag) const {
  for (std::size_t at = 0; at < entries_.size(); at += entry_size) {
    if (u16(entries_, at) == tag) return entries_.substr(at, entry_size);
  }
  return {};
}

int exif_orientation(std::string_view exif) {
  constexpr std::uint16_t orientation_tag = 0x0112;
  const auto found = TagDirectory(exif).number(orientation_tag).value_or(1);
  return found >= 1 && found <= 8 ? static_cast<int>(found) : 1;
}

}  // namespace tessera::detail
