// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <string_view>

namespace tessera::detail {

/// What libpng does not tell of a PNG file.
struct PngChunks {
  /// The default image and the frames of an animation.
  std::int64_t pictures = 1;
  /// EXIF data, a TIFF structure; empty if there are none.
  std::string_view exif;
};

/// Walks over the chunks of a PNG file as far as they are whole; libpng judges the rest. Throws
/// error::Io if the checksum of one that is used does not match.
PngChunks read_png_chunks(std::string_view file);

}  // namespace tessera::detail
