// SPDX-License-Identifier: BSD-3-Clause
#include "io/tiff_page.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "io/samples.hpp"
#include "tessera/core/error.hpp"

namespace tessera::detail {

namespace {

/// The largest factor by which a compression can shrink pixels; 0 if it has no useful bound.
std::uint64_t largest_ratio(std::uint16_t compression) {
  switch (compression) {
    case COMPRESSION_NONE:
      return 1;
    case COMPRESSION_PACKBITS:
      return 64;
    case COMPRESSION_LZW:
      return 4096;
    case COMPRESSION_DEFLATE:
    case COMPRESSION_ADOBE_DEFLATE:
      return 1032;
    default:
      return 0;
  }
}

/// How many samples at the end of a pixel the file declares alpha. Extra samples of no declared
/// meaning are channels like the others.
std::uint16_t alpha_samples(TIFF* tiff) {
  std::uint16_t count = 0;
  const std::uint16_t* kinds = nullptr;
  if (TIFFGetField(tiff, TIFFTAG_EXTRASAMPLES, &count, &kinds) != 1) return 0;
  const auto is_alpha = [](std::uint16_t kind) { return kind != EXTRASAMPLE_UNSPECIFIED; };
  const auto* last = std::find_if(kinds, kinds + count, is_alpha);
  if (!std::all_of(last, kinds + count, is_alpha)) {
    throw error::Io("TIFF: has alpha among its channels, expected it behind them");
  }
  return static_cast<std::uint16_t>(kinds + count - last);
}

/// Copies what decoded strips or tiles have of a box into (rows, columns, C) samples.
class BlockCopier {
 public:
  BlockCopier(const TiffPage& page, const TiffBox& box, const Tensor& samples)
      : page_(page),
        box_(box),
        channels_(static_cast<std::size_t>(samples.size(2))),
        target_(static_cast<char*>(samples.mutable_data_ptr())) {}

  /// A block of `height` x `width` pixels, the first at (row, column); of one plane if planes().
  void copy(const char* block, std::uint64_t row, std::uint64_t column, std::uint64_t height,
            std::uint64_t width, std::uint16_t plane) const {
    const std::size_t size = page_.sample_size();
    const std::size_t pixel = size * (page_.planes() ? 1 : page_.samples);
    const std::size_t used = size * (page_.planes() ? 1 : channels_);
    const std::uint64_t first_column = std::max<std::uint64_t>(column, box_.column);
    const std::uint64_t last_column =
        std::min(column + width, std::uint64_t{box_.column} + box_.columns);
    const std::uint64_t last_row = std::min(row + height, std::uint64_t{box_.row} + box_.rows);
    for (std::uint64_t y = std::max<std::uint64_t>(row, box_.row); y < last_row; ++y) {
      const char* source = block + pixel * (width * (y - row) + first_column - column);
      char* target = target_ + size * (channels_ * (std::size_t{box_.columns} * (y - box_.row) +
                                                    first_column - box_.column) +
                                       plane);
      for (std::uint64_t x = first_column; x < last_column; ++x) {
        std::memcpy(target, source, used);
        source += pixel;
        target += size * channels_;
      }
    }
  }

 private:
  const TiffPage& page_;
  const TiffBox& box_;
  std::size_t channels_;
  char* target_;
};

/// Room for one decoded strip or tile of `declared` bytes.
std::vector<char> block_buffer(std::uint64_t declared, std::uint64_t needed, const TiffPage& page) {
  // A tile may be larger than a small image, but not without limit.
  constexpr std::uint64_t generous = 1 << 26;
  if (declared < needed || declared > std::max(page.raw_size(), generous)) {
    throw error::Io(fmt::format("TIFF: has blocks of {} bytes, expected {}", declared, needed));
  }
  return std::vector<char>(declared);
}

void read_tiles(const TiffStream& stream, const TiffPage& page, const TiffBox& box,
                const BlockCopier& copier, std::uint16_t planes) {
  TIFF* tiff = stream.handle();
  std::uint32_t width = 0, height = 0;
  TIFFGetField(tiff, TIFFTAG_TILEWIDTH, &width);
  TIFFGetField(tiff, TIFFTAG_TILELENGTH, &height);
  if (width == 0 || height == 0) throw error::Io("TIFF: has empty tiles");
  const std::uint64_t samples = page.planes() ? 1 : page.samples;
  const std::uint64_t needed = std::uint64_t{width} * height * samples * page.sample_size();
  auto buffer = block_buffer(TIFFTileSize64(tiff), needed, page);
  const std::uint64_t last_row = std::uint64_t{box.row} + box.rows;
  const std::uint64_t last_column = std::uint64_t{box.column} + box.columns;
  for (std::uint16_t plane = 0; plane < planes; ++plane) {
    for (std::uint64_t row = box.row - box.row % height; row < last_row; row += height) {
      for (std::uint64_t column = box.column - box.column % width; column < last_column;
           column += width) {
        const auto y = static_cast<std::uint32_t>(row), x = static_cast<std::uint32_t>(column);
        const std::uint32_t tile = TIFFComputeTile(tiff, x, y, 0, plane);
        const tmsize_t got =
            TIFFReadEncodedTile(tiff, tile, buffer.data(), static_cast<tmsize_t>(buffer.size()));
        if (got < 0 || static_cast<std::uint64_t>(got) < needed) stream.fail("a tile is truncated");
        copier.copy(buffer.data(), row, column, height, width, plane);
      }
    }
  }
}

void read_strips(const TiffStream& stream, const TiffPage& page, const TiffBox& box,
                 const BlockCopier& copier, std::uint16_t planes) {
  TIFF* tiff = stream.handle();
  std::uint32_t rows_per_strip = 0;
  TIFFGetFieldDefaulted(tiff, TIFFTAG_ROWSPERSTRIP, &rows_per_strip);
  if (rows_per_strip == 0) throw error::Io("TIFF: has empty strips");
  rows_per_strip = std::min(rows_per_strip, page.height);
  const std::uint64_t samples = page.planes() ? 1 : page.samples;
  const std::uint64_t row_size = page.width * samples * page.sample_size();
  auto buffer = block_buffer(TIFFStripSize64(tiff), row_size * rows_per_strip, page);
  const std::uint64_t last_row = std::uint64_t{box.row} + box.rows;
  for (std::uint16_t plane = 0; plane < planes; ++plane) {
    for (std::uint64_t row = box.row - box.row % rows_per_strip; row < last_row;
         row += rows_per_strip) {
      const auto y = static_cast<std::uint32_t>(row);
      const std::uint32_t rows = std::min(rows_per_strip, page.height - y);
      const std::uint32_t strip = TIFFComputeStrip(tiff, y, plane);
      const tmsize_t got =
          TIFFReadEncodedStrip(tiff, strip, buffer.data(), static_cast<tmsize_t>(buffer.size()));
      if (got < 0 || static_cast<std::uint64_t>(got) < row_size * rows)
        stream.fail("a strip is truncated");
      copier.copy(buffer.data(), row, 0, rows, page.width, plane);
    }
  }
}

}  // namespace

bool TiffPage::planes() const {
  return planar == PLANARCONFIG_SEPARATE && samples > 1;
}

TiffPage read_tiff_page(TIFF* tiff) {
  TiffPage page;
  TIFFGetField(tiff, TIFFTAG_IMAGEWIDTH, &page.width);
  TIFFGetField(tiff, TIFFTAG_IMAGELENGTH, &page.height);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_BITSPERSAMPLE, &page.bits);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_SAMPLEFORMAT, &page.format);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_SAMPLESPERPIXEL, &page.samples);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_PLANARCONFIG, &page.planar);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_COMPRESSION, &page.compression);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_ORIENTATION, &page.orientation);
  if (TIFFGetField(tiff, TIFFTAG_PHOTOMETRIC, &page.photometric) != 1) {
    page.photometric = page.samples >= 3 ? PHOTOMETRIC_RGB : PHOTOMETRIC_MINISBLACK;
  }
  page.alpha = alpha_samples(tiff);
  return page;
}

void check_tiff_plausible(std::uint16_t compression, std::uint64_t raw_size,
                          std::uint64_t file_size) {
  const std::uint64_t ratio = largest_ratio(compression);
  if (ratio > 0) check_plausible(raw_size, file_size, ratio);
}

void read_tiff_samples(const TiffStream& stream, const TiffPage& page, const TiffBox& box,
                       const Tensor& samples) {
  TIFF* tiff = stream.handle();
  if (TIFFIsCODECConfigured(page.compression) == 0) {
    throw error::Io(
        fmt::format("TIFF: uses compression {}, which this libtiff lacks", page.compression));
  }
  if (page.photometric == PHOTOMETRIC_YCBCR && page.compression == COMPRESSION_JPEG)
    TIFFSetField(tiff, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
  const BlockCopier copier(page, box, samples);
  const auto planes = static_cast<std::uint16_t>(page.planes() ? samples.size(2) : 1);
  if (TIFFIsTiled(tiff) != 0) {
    read_tiles(stream, page, box, copier, planes);
  } else {
    read_strips(stream, page, box, copier, planes);
  }
}

}  // namespace tessera::detail
