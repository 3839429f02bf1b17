// SPDX-License-Identifier: BSD-3-Clause
#include <ATen/ops/empty.h>
#include <fmt/format.h>

#include <vector>

#include "io/host.hpp"
#include "io/samples.hpp"
#include "io/tiff_directories.hpp"
#include "io/tiff_page.hpp"
#include "io/tiff_stream.hpp"
#include "tessera/core/error.hpp"

namespace tessera::detail {

namespace {

/// Number of samples that the colours need.
std::int64_t colour_samples(const TiffPage& page) {
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

at::ScalarType sample_type(const TiffPage& page) {
  const bool integer = page.format == SAMPLEFORMAT_UINT || page.format == SAMPLEFORMAT_VOID;
  if (integer && page.bits == 8) return at::kByte;
  if (integer && page.bits == 16) return at::kUInt16;
  if (page.format == SAMPLEFORMAT_IEEEFP && page.bits == 32) return at::kFloat;
  throw error::Io(
      fmt::format("TIFF: has {}-bit samples of format {}, expected 8- or 16-bit unsigned or 32-bit "
                  "floating ones",
                  page.bits, page.format));
}

void check_page(const TiffPage& page, std::uint64_t file_size, const ImageReadOptions& options) {
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
  check_tiff_plausible(page.compression, page.raw_size(), file_size);
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

Tensor decode_tiff(const InputFile& file, const ImageReadOptions& options, ImageInfo& info) {
  const std::vector<TiffDirectory> directories = list_directories(file);
  std::vector<Picture> pictures;
  for (const TiffDirectory& directory : directories) {
    const bool secondary = (directory.kind & (FILETYPE_REDUCEDIMAGE | FILETYPE_MASK)) != 0;
    pictures.push_back({directory.width, directory.height, secondary});
  }
  const std::size_t chosen = choose_picture(pictures, options, info);
  const TiffStream stream(file);
  TIFF* tiff = stream.handle();
  if (chosen > 0 && TIFFSetSubDirectory(tiff, directories[chosen].offset) != 1) {
    stream.fail("the page cannot be read");
  }
  const TiffPage page = read_tiff_page(tiff);
  check_page(page, file.size(), options);
  const std::int64_t channels = page.samples - page.alpha;
  Tensor samples = host_tensor({page.height, page.width, channels}, sample_type(page));
  read_tiff_samples(stream, page, {0, 0, page.height, page.width}, samples);
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
