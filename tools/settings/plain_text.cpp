// SPDX-License-Identifier: BSD-3-Clause
#include "settings/plain_text.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "tessera/core/error.hpp"

namespace settings {

namespace {

constexpr std::size_t shown = 60;

unsigned char byte(std::string_view text, std::size_t i) {
  return static_cast<unsigned char>(text[i]);
}

/// Bytes of the UTF-8 character that a text begins with; 0: it is none (RFC 3629).
std::size_t length_of_character(std::string_view text) {
  const unsigned char first = byte(text, 0);
  if (first < 0x80) return 1;
  const std::size_t length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  if (first < 0xc2 || first > 0xf4 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(text, i) & 0xc0U) != 0x80U) return 0;
  }
  const unsigned char second = byte(text, 1);
  const bool is_overlong = (first == 0xe0 && second < 0xa0) || (first == 0xf0 && second < 0x90);
  const bool is_surrogate = first == 0xed && second > 0x9f;
  const bool is_beyond = first == 0xf4 && second > 0x8f;
  return is_overlong || is_surrogate || is_beyond ? 0 : length;
}

/// Of one UTF-8 character: U+0000 to U+001F and U+007F to U+009F.
bool is_control(std::string_view character) {
  const unsigned char first = byte(character, 0);
  if (character.size() == 1) return first < 0x20 || first == 0x7f;
  return character.size() == 2 && first == 0xc2 && byte(character, 1) < 0xa0;
}

}  // namespace

std::string flaw_of_line(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = length_of_character(text.substr(i));
    if (length == 0) return fmt::format("no UTF-8 at byte {}", i);
    if (text[i] == '\n' || text[i] == '\r') return fmt::format("a line break at byte {}", i);
    if (is_control(text.substr(i, length))) {
      return fmt::format("the control character 0x{:02x} at byte {}", byte(text, i + length - 1),
                         i);
    }
    i += length;
  }
  return "";
}

void check_line(const std::string& what, std::string_view text) {
  const std::string flaw = flaw_of_line(text);
  if (flaw.empty()) return;
  throw tessera::error::InvalidArgument(
      fmt::format("{}: expected one line of UTF-8, got {}, {}", what, printable(text), flaw));
}

std::size_t first_not_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = length_of_character(text.substr(i));
    if (length == 0) return i;
    i += length;
  }
  return std::string_view::npos;
}

std::string printable(std::string_view text) {
  std::string result = "\"";
  std::size_t i = 0;
  while (i < text.size() && i < shown) {
    const std::size_t length = length_of_character(text.substr(i));
    const std::string_view character = text.substr(i, std::max<std::size_t>(1, length));
    if (length == 0 || is_control(character)) {
      for (const char c : character)
        result += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    } else {
      result += character;
    }
    i += character.size();
  }
  return result + (i < text.size() ? "...\"" : "\"");
}

}  // namespace settings
