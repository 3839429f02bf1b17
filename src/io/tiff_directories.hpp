// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "io/input_file.hpp"

namespace tessera::detail {

/// One page of a TIFF file, as far as it can be told without libtiff.
struct TiffDirectory {
  std::uint64_t offset = 0;
  std::int64_t width = 0;
  std::int64_t height = 0;
  std::uint32_t kind = 0;  // bits of NewSubfileType
};

/// The pages in the order of the file, classic or big TIFF of either byte order; those of SubIFDs
/// are not among them. Takes time linear in the file: throws error::Io if a page lies outside it,
/// if pages form a ring or overlap, or if a page has more values than the file has room for.
std::vector<TiffDirectory> list_directories(const InputFile& file);

/// Whether a file that starts so is a TIFF, classic or big, little- or big-endian.
bool is_tiff(std::string_view start);

}  // namespace tessera::detail
