// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "tessera/io/tiff_stack.hpp"

namespace tessera::detail {

/// What the pages of a file are to one another.
struct TiffAxes {
  std::int64_t frames = 1;
  std::int64_t channels = 1;  // of pages; each may have several samples
  std::int64_t planes = 1;
  /// Page of (frame, channel, plane), from 0, the last index fastest.
  std::vector<std::int64_t> pages;
  std::optional<VoxelSize> voxel;
};

/// What is known of the first page.
struct TiffDescription {
  std::string_view text;
  std::int64_t samples = 1;      // of a pixel
  double pixels_per_unit_x = 0;  // of the resolution tags; 0 if there is none
  double pixels_per_unit_y = 0;
};

/// Reads OME-XML or ImageJ's text; of any other text, `pages` pages are planes. Throws error::Io
/// with the bare cause if the axes do not fit the pages.
TiffAxes read_tiff_axes(const TiffDescription& description, std::int64_t pages);

bool is_ome(std::string_view description);

/// The axes of OME-XML.
TiffAxes read_ome_axes(std::string_view xml, std::int64_t pages, std::int64_t samples);

/// A whole number from 1 to 2^31, or nothing.
std::optional<std::int64_t> positive_integer(std::string_view text);
/// A finite number above zero, or nothing.
std::optional<double> positive_number(std::string_view text);
/// "um" for every name of the micrometre; else the text.
std::string unit_name(std::string_view text);

}  // namespace tessera::detail
