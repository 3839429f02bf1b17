// SPDX-License-Identifier: BSD-3-Clause
#include <ATen/ops/empty.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "io/host.hpp"
#include "io/samples.hpp"
#include "io/tiff_directories.hpp"
#include "io/tiff_stream.hpp"
#include "tessera/core/error.hpp"

namespace tessera::detail {

namespace {

/// Layout of a page.
struct Page {
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

  bool planes() const { return planar == PLANARCONFIG_SEPARATE && samples > 1; }
  std::uint64_t sample_size() const { return bits / 8; }
  std::uint64_t raw_size() const { return sample_size() * samples * width * height; }
};

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

Page read_page(TIFF* tiff) {
  Page page;
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

/// Number of samples that the colours need.
std::int64_t colour_samples(const Page& page) {
  switch (page.photometric) {
    case PHOTOMETRIC_MINISBLACK:
    case PHOTOMETRIC_MINISWHITE:
    case PHOTOMETRIC_PALETTE:
      return 1;
    case PHOTOMETRIC_RGB:
      return 3;
    case PHOTOMETRIC_YCBCR:
      if (page.compression == COMPRESSION_JPEG) return 3;  // libtiff converts it to RGB
      break;
    default:
      break;
  }
  throw error::Io(
      fmt::format("TIFF: has photometric interpretation {}, expected grey, palette or RGB (or "
                  "JPEG-compressed YCbCr)",
                  page.photometric));
}

at::ScalarType sample_type(const Page& page) {
  const bool integer = page.format == SAMPLEFORMAT_UINT || page.format == SAMPLEFORMAT_VOID;
  if (integer && page.bits == 8) return at::kByte;
  if (integer && page.bits == 16) return at::kUInt16;
  if (page.format == SAMPLEFORMAT_IEEEFP && page.bits == 32) return at::kFloat;
  throw error::Io(
      fmt::format("TIFF: has {}-bit samples of format {}, expected 8- or 16-bit unsigned or 32-bit "
                  "floating ones",
                  page.bits, page.format));
}

void check_page(const Page& page, std::uint64_t file_size, const ImageReadOptions& options) {
  check_pixels(page.width, page.height, options.max_pixels);
  if (page.samples < colour_samples(page) + page.alpha) {
    throw error::Io(fmt::format("TIFF: has {} samples per pixel, expected at least {}",
                                page.samples, colour_samples(page) + page.alpha));
  }
  // Many samples a pixel would pass the limit on pixels.
  if (page.samples > most_channels || std::uint64_t{page.width} * page.height * page.samples / 4 >
                                          static_cast<std::uint64_t>(options.max_pixels)) {
    throw error::Io(fmt::format(
        "TIFF: has {} x {} pixels of {} samples, at most {} samples and {} in all are supported",
        page.width, page.height, page.samples, most_channels, options.max_pixels));
  }
  if (page.photometric == PHOTOMETRIC_PALETTE && (page.bits != 8 || page.samples != 1)) {
    throw error::Io(fmt::format("TIFF: has a palette with {} bits, expected 8", page.bits));
  }
  const std::uint64_t ratio = largest_ratio(page.compression);
  if (ratio > 0) check_plausible(page.raw_size(), file_size, ratio);
}

/// Copies decoded strips or tiles into (H, W, C) samples.
class BlockCopier {
 public:
  BlockCopier(const Page& page, const Tensor& samples)
      : page_(page),
        channels_(static_cast<std::size_t>(samples.size(2))),
        target_(static_cast<char*>(samples.mutable_data_ptr())) {}

  /// A block of `block_width` columns whose upper left pixel is (row, column); of one plane if
  /// planes().
  void copy(const char* block, std::uint32_t row, std::uint32_t column, std::uint32_t block_height,
            std::uint32_t block_width, std::uint16_t plane) const {
    const std::size_t size = page_.sample_size();
    const std::size_t pixel = size * (page_.planes() ? 1 : page_.samples);
    const std::size_t used = size * (page_.planes() ? 1 : channels_);
    const std::uint32_t rows = std::min(block_height, page_.height - row);
    const std::uint32_t columns = std::min(block_width, page_.width - column);
    for (std::uint32_t r = 0; r < rows; ++r) {
      const char* source = block + pixel * block_width * r;
      char* target =
          target_ + size * (channels_ * (std::size_t{page_.width} * (row + r) + column) + plane);
      for (std::uint32_t c = 0; c < columns; ++c, source += pixel, target += size * channels_) {
        std::memcpy(target, source, used);
      }
    }
  }

 private:
  const Page& page_;
  std::size_t channels_;
  char* target_;
};

/// Room for one decoded strip or tile of `declared` bytes.
std::vector<char> block_buffer(std::uint64_t declared, std::uint64_t needed, const Page& page) {
  // A tile may be larger than a small image, but not without limit.
  constexpr std::uint64_t generous = 1 << 26;
  if (declared < needed || declared > std::max(page.raw_size(), generous)) {
    throw error::Io(fmt::format("TIFF: has blocks of {} bytes, expected {}", declared, needed));
  }
  return std::vector<char>(declared);
}

void read_tiles(const TiffStream& stream, const Page& page, const BlockCopier& copier,
                std::uint16_t planes) {
  TIFF* tiff = stream.handle();
  std::uint32_t width = 0, height = 0;
  TIFFGetField(tiff, TIFFTAG_TILEWIDTH, &width);
  TIFFGetField(tiff, TIFFTAG_TILELENGTH, &height);
  if (width == 0 || height == 0) throw error::Io("TIFF: has empty tiles");
  const std::uint64_t samples = page.planes() ? 1 : page.samples;
  const std::uint64_t needed = std::uint64_t{width} * height * samples * page.sample_size();
  auto buffer = block_buffer(TIFFTileSize64(tiff), needed, page);
  for (std::uint16_t plane = 0; plane < planes; ++plane) {
    for (std::uint64_t row = 0; row < page.height; row += height) {
      for (std::uint64_t column = 0; column < page.width; column += width) {
        const auto y = static_cast<std::uint32_t>(row), x = static_cast<std::uint32_t>(column);
        const std::uint32_t tile = TIFFComputeTile(tiff, x, y, 0, plane);
        const tmsize_t got =
            TIFFReadEncodedTile(tiff, tile, buffer.data(), static_cast<tmsize_t>(buffer.size()));
        if (got < 0 || static_cast<std::uint64_t>(got) < needed) stream.fail("a tile is truncated");
        copier.copy(buffer.data(), y, x, height, width, plane);
      }
    }
  }
}

void read_strips(const TiffStream& stream, const Page& page, const BlockCopier& copier,
                 std::uint16_t planes) {
  TIFF* tiff = stream.handle();
  std::uint32_t rows_per_strip = 0;
  TIFFGetFieldDefaulted(tiff, TIFFTAG_ROWSPERSTRIP, &rows_per_strip);
  if (rows_per_strip == 0) throw error::Io("TIFF: has empty strips");
  rows_per_strip = std::min(rows_per_strip, page.height);
  const std::uint64_t samples = page.planes() ? 1 : page.samples;
  const std::uint64_t row_size = page.width * samples * page.sample_size();
  auto buffer = block_buffer(TIFFStripSize64(tiff), row_size * rows_per_strip, page);
  for (std::uint16_t plane = 0; plane < planes; ++plane) {
    for (std::uint64_t row = 0; row < page.height; row += rows_per_strip) {
      const auto y = static_cast<std::uint32_t>(row);
      const std::uint32_t rows = std::min(rows_per_strip, page.height - y);
      const std::uint32_t strip = TIFFComputeStrip(tiff, y, plane);
      const tmsize_t got =
          TIFFReadEncodedStrip(tiff, strip, buffer.data(), static_cast<tmsize_t>(buffer.size()));
      if (got < 0 || static_cast<std::uint64_t>(got) < row_size * rows)
        stream.fail("a strip is truncated");
      copier.copy(buffer.data(), y, 0, rows, page.width, plane);
    }
  }
}

/// (H, W, 1) indices as (H, W, 3) 16-bit colours.
Tensor expand_palette(const TiffStream& stream, const Tensor& indices) {
  std::uint16_t *red = nullptr, *green = nullptr, *blue = nullptr;
  if (TIFFGetField(stream.handle(), TIFFTAG_COLORMAP, &red, &green, &blue) != 1) {
    stream.fail("the palette is missing");
  }
  const Tensor colours = host_tensor({indices.size(0), indices.size(1), 3}, at::kUInt16);
  const auto* index = indices.const_data_ptr<std::uint8_t>();
  auto* target = colours.mutable_data_ptr<std::uint16_t>();
  for (std::int64_t i = 0; i < indices.numel(); ++i, target += 3) {
    target[0] = red[index[i]];
    target[1] = green[index[i]];
    target[2] = blue[index[i]];
  }
  return colours;
}

}  // namespace

Tensor decode_tiff(std::string_view bytes, const ImageReadOptions& options, ImageInfo& info) {
  const std::vector<TiffDirectory> directories = list_directories(bytes);
  std::vector<Picture> pictures;
  for (const TiffDirectory& directory : directories) {
    const bool secondary = (directory.kind & (FILETYPE_REDUCEDIMAGE | FILETYPE_MASK)) != 0;
    pictures.push_back({directory.width, directory.height, secondary});
  }
  const std::size_t chosen = choose_picture(pictures, options, info);
  const TiffStream stream(bytes);
  TIFF* tiff = stream.handle();
  if (chosen > 0 && TIFFSetSubDirectory(tiff, directories[chosen].offset) != 1) {
    stream.fail("the page cannot be read");
  }
  const Page page = read_page(tiff);
  check_page(page, bytes.size(), options);
  if (TIFFIsCODECConfigured(page.compression) == 0) {
    throw error::Io(
        fmt::format("TIFF: uses compression {}, which this libtiff lacks", page.compression));
  }
  if (page.photometric == PHOTOMETRIC_YCBCR)
    TIFFSetField(tiff, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);

  const std::int64_t channels = page.samples - page.alpha;
  Tensor samples = host_tensor({page.height, page.width, channels}, sample_type(page));
  const BlockCopier copier(page, samples);
  const auto planes = static_cast<std::uint16_t>(page.planes() ? channels : 1);
  if (TIFFIsTiled(tiff) != 0) {
    read_tiles(stream, page, copier, planes);
  } else {
    read_strips(stream, page, copier, planes);
  }
  if (page.photometric == PHOTOMETRIC_PALETTE) samples = expand_palette(stream, samples);
  Tensor image = image_from_samples(samples);
  if (page.photometric == PHOTOMETRIC_MINISWHITE && samples.scalar_type() != at::kFloat) {
    image = image.neg_().add_(1);
  }
  info.bits = page.bits;
  info.samples = samples.scalar_type() == at::kFloat    ? SampleType::f32
                 : samples.scalar_type() == at::kUInt16 ? SampleType::u16
                                                        : SampleType::u8;
  info.alpha_dropped = page.alpha > 0;
  if (page.orientation >= 1 && page.orientation <= 8) info.orientation = page.orientation;
  return image;
}

}  // namespace tessera::detail
