// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>

#include "io/tiff_stream.hpp"
#include "tessera/core/tensor.hpp"

/// What pictures and stacks share of a TIFF page. Functions throw error::Io with the bare cause.
namespace tessera::detail {

/// Layout of a page.
struct TiffPage {
  std::uint32_t width = 0;
  std::uint32_t height = 0;
  std::uint16_t bits = 0;
  std::uint16_t format = 0;
  std::uint16_t samples = 0;  // per pixel, in the file
  std::uint16_t photometric = 0;
  std::uint16_t planar = 0;
  std::uint16_t compression = 0;
  std::uint16_t orientation = 0;
  std::uint16_t alpha = 0;  // samples at the end of a pixel that are alpha

  bool planes() const;
  std::uint64_t sample_size() const { return bits / 8; }
  std::uint64_t raw_size() const { return sample_size() * samples * width * height; }
};

/// The layout of the current page.
TiffPage read_tiff_page(TIFF* tiff);

/// Throws if `file_size` bytes cannot hold `raw_size` bytes of a compression of known limits.
void check_tiff_plausible(std::uint16_t compression, std::uint64_t raw_size,
                          std::uint64_t file_size);

/// A rectangle of a page.
struct TiffBox {
  std::uint32_t row = 0;
  std::uint32_t column = 0;
  std::uint32_t rows = 0;
  std::uint32_t columns = 0;
};

/// Decodes a rectangle that lies in the current page into (rows, columns, channels) samples of the
/// page's own type: the first `channels` of each pixel. JPEG-compressed YCbCr comes as RGB.
void read_tiff_samples(const TiffStream& stream, const TiffPage& page, const TiffBox& box,
                       const Tensor& samples);

/// Sets up the current page for (H, W, C) samples, uint8, uint16 or float32.
void begin_tiff_page(const TiffStream& stream, const Extents& shape, at::ScalarType type);

/// Rows of a strip of such pages.
std::int64_t tiff_rows_per_strip(const Extents& shape, at::ScalarType type);

/// Writes contiguous samples (rows, W, C), whole strips but for the last of the page, from row
/// `row` of the current page on.
void write_tiff_rows(const TiffStream& stream, std::int64_t row, const Tensor& samples);

}  // namespace tessera::detail
