// SPDX-License-Identifier: BSD-3-Clause
#include <ATen/ops/empty.h>
#include <fmt/format.h>

#include <utility>
#include <vector>

#include "io/host.hpp"
#include "io/samples.hpp"
#include "io/tiff_directories.hpp"
#include "io/tiff_page.hpp"
#include "io/tiff_stream.hpp"
#include "io/window.hpp"
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

void check_page(const TiffPage& page) {
  constexpr std::int64_t most_pixels = std::int64_t{1} << 40;  // of which bytes can be counted
  check_pixels(page.width, page.height, most_pixels);
  if (page.samples < colour_samples(page) + page.alpha) {
    throw error::Io(fmt::format("TIFF: has {} samples per pixel, expected at least {}",
                                page.samples, colour_samples(page) + page.alpha));
  }
  if (page.photometric == PHOTOMETRIC_PALETTE && (page.bits != 8 || page.samples != 1)) {
    throw error::Io(fmt::format("TIFF: has a palette with {} bits, expected 8", page.bits));
  }
}

/// Before memory is allocated for what is read.
void check_size(const TiffPage& page, const TiffBox& box, std::int64_t max_pixels) {
  check_pixels(box.columns, box.rows, max_pixels);
  // Many samples a pixel would pass the limit on pixels.
  if (page.samples > most_channels || std::uint64_t{box.columns} * box.rows * page.samples / 4 >
                                          static_cast<std::uint64_t>(max_pixels)) {
    throw error::Io(fmt::format(
        "TIFF: has {} x {} pixels of {} samples, at most {} samples and {} in all are supported",
        box.columns, box.rows, page.samples, most_channels, max_pixels));
  }
}

/// Makes the picture that the options choose the current page. Fills `info` except for its smallest
/// and largest value.
TiffPage choose_page(const InputFile& file, const TiffStream& stream,
                     const ImageReadOptions& options, ImageInfo& info) {
  const std::vector<TiffDirectory> directories = list_directories(file);
  std::vector<Picture> pictures;
  for (const TiffDirectory& directory : directories) {
    const bool secondary = (directory.kind & (FILETYPE_REDUCEDIMAGE | FILETYPE_MASK)) != 0;
    pictures.push_back({directory.width, directory.height, secondary});
  }
  const std::size_t chosen = choose_picture(pictures, options, info);
  if (chosen > 0 && TIFFSetSubDirectory(stream.handle(), directories[chosen].offset) != 1) {
    stream.fail("the page cannot be read");
  }
  const TiffPage page = read_tiff_page(stream.handle());
  check_page(page);
  const bool has_palette = page.photometric == PHOTOMETRIC_PALETTE;
  const at::ScalarType type = has_palette ? at::kUInt16 : sample_type(page);
  info.bits = page.bits;
  info.samples = type == at::kFloat    ? SampleType::f32
                 : type == at::kUInt16 ? SampleType::u16
                                       : SampleType::u8;
  info.alpha_dropped = page.alpha > 0;
  if (page.orientation >= 1 && page.orientation <= 8) info.orientation = page.orientation;
  return page;
}

/// Of the picture as read_image() returns it.
Extents shape_of(const TiffPage& page, int orientation) {
  const std::int64_t channels =
      page.photometric == PHOTOMETRIC_PALETTE ? 3 : page.samples - page.alpha;
  if (orientation >= 5) return {1, channels, page.width, page.height};
  return {1, channels, page.height, page.width};
}

/// Where the rows and columns of an upright picture are stored: upright() turns them back.
TiffBox stored_box(const TiffPage& page, int orientation, Interval rows, Interval columns) {
  if (orientation >= 5) std::swap(rows, columns);
  const auto flipped = [](Interval along, std::int64_t extent) {
    return Interval{extent - along.end, extent - along.begin};
  };
  if (orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7) {
    rows = flipped(rows, page.height);
  }
  if (orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8) {
    columns = flipped(columns, page.width);
  }
  return {static_cast<std::uint32_t>(rows.begin), static_cast<std::uint32_t>(columns.begin),
          static_cast<std::uint32_t>(rows.length()), static_cast<std::uint32_t>(columns.length())};
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

Tensor decode_tiff(const InputFile& file, const std::string& path, const ImageReadOptions& options,
                   ImageInfo& info) {
  const TiffStream stream(file);
  const TiffPage page = choose_page(file, stream, options, info);
  const int orientation = options.apply_orientation ? info.orientation : 1;
  const Box window =
      checked_window("read_image", path, options.window, shape_of(page, orientation));
  const TiffBox box = stored_box(page, orientation, window.axes[2], window.axes[3]);
  check_size(page, box, options.max_pixels);
  check_tiff_plausible(page.compression, page.raw_size(), file.size());
  Tensor samples =
      host_tensor({box.rows, box.columns, page.samples - page.alpha}, sample_type(page));
  read_tiff_samples(stream, page, box, samples);
  if (page.photometric == PHOTOMETRIC_PALETTE) samples = expand_palette(stream, samples);
  Tensor image = image_from_samples(samples);
  if (page.photometric == PHOTOMETRIC_MINISWHITE && samples.scalar_type() != at::kFloat) {
    image = image.neg_().add_(1);
  }
  return image;
}

Extents tiff_shape(const InputFile& file, const ImageReadOptions& options, ImageInfo& info) {
  const TiffStream stream(file);
  const TiffPage page = choose_page(file, stream, options, info);
  check_tiff_plausible(page.compression, page.raw_size(), file.size());
  return shape_of(page, options.apply_orientation ? info.orientation : 1);
}

}  // namespace tessera::detail
