// SPDX-License-Identifier: BSD-3-Clause
#include "io/png_chunks.hpp"

#include "io/crc32.hpp"
#include "tessera/core/error.hpp"

namespace tessera::detail {

namespace {

std::uint32_t big_endian(std::string_view bytes) {
  std::uint32_t value = 0;
  for (const char byte : bytes.substr(0, 4)) value = value << 8 | static_cast<unsigned char>(byte);
  return value;
}

/// Type and data of a chunk, whose checksum follows.
void check_sum(std::string_view type_and_data, std::string_view checksum) {
  if (crc32(type_and_data.data(), type_and_data.size()) != big_endian(checksum)) {
    throw error::Io("PNG: is damaged: the checksum of a chunk does not match");
  }
}

}  // namespace

PngChunks read_png_chunks(std::string_view file) {
  constexpr std::size_t signature = 8;
  constexpr std::size_t frame = 12;  // length, type and checksum
  PngChunks found;
  bool seen_pixels = false, animated = false, default_is_frame = false;
  std::int64_t frames = 0;
  std::string_view rest = file.substr(signature);
  while (rest.size() >= frame) {
    const std::size_t length = big_endian(rest);
    if (length > rest.size() - frame) break;
    const std::string_view type = rest.substr(4, 4);
    const std::string_view checksum = rest.substr(8 + length, 4);
    if (type == "IDAT") seen_pixels = true;
    if (type == "acTL" || type == "fcTL" || type == "eXIf") {
      check_sum(rest.substr(4, 4 + length), checksum);
    }
    if (type == "acTL" && !seen_pixels) animated = true;
    if (type == "fcTL") {
      ++frames;
      if (!seen_pixels) default_is_frame = true;
    }
    if (type == "eXIf" && found.exif.empty()) found.exif = rest.substr(8, length);
    rest.remove_prefix(frame + length);
  }
  if (animated) found.pictures = frames + (default_is_frame ? 0 : 1);
  return found;
}

}  // namespace tessera::detail
