// SPDX-License-Identifier: BSD-3-Clause
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "io/samples.hpp"
#include "io/tiff_page.hpp"
#include "io/tiff_stream.hpp"
#include "tessera/core/error.hpp"

namespace tessera::detail {

std::int64_t tiff_rows_per_strip(const Extents& shape, at::ScalarType type) {
  const std::int64_t row_bytes =
      shape[1] * shape[2] * static_cast<std::int64_t>(c10::elementSize(type));
  return std::clamp<std::int64_t>((1 << 18) / row_bytes, 1, shape[0]);
}

void begin_tiff_page(const TiffStream& stream, const Extents& shape, at::ScalarType type) {
  TIFF* tiff = stream.handle();
  const bool floating = at::isFloatingType(type);
  TIFFSetField(tiff, TIFFTAG_IMAGEWIDTH, static_cast<std::uint32_t>(shape[1]));
  TIFFSetField(tiff, TIFFTAG_IMAGELENGTH, static_cast<std::uint32_t>(shape[0]));
  TIFFSetField(tiff, TIFFTAG_BITSPERSAMPLE, static_cast<int>(8 * c10::elementSize(type)));
  TIFFSetField(tiff, TIFFTAG_SAMPLEFORMAT, floating ? SAMPLEFORMAT_IEEEFP : SAMPLEFORMAT_UINT);
  TIFFSetField(tiff, TIFFTAG_SAMPLESPERPIXEL, static_cast<int>(shape[2]));
  const bool colour = shape[2] == 3;
  TIFFSetField(tiff, TIFFTAG_PHOTOMETRIC, colour ? PHOTOMETRIC_RGB : PHOTOMETRIC_MINISBLACK);
  if (!colour && shape[2] > 1) {
    const std::vector<std::uint16_t> kinds(static_cast<std::size_t>(shape[2] - 1),
                                           EXTRASAMPLE_UNSPECIFIED);
    TIFFSetField(tiff, TIFFTAG_EXTRASAMPLES, static_cast<int>(kinds.size()), kinds.data());
  }
  TIFFSetField(tiff, TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG);
  TIFFSetField(tiff, TIFFTAG_ORIENTATION, ORIENTATION_TOPLEFT);
  TIFFSetField(tiff, TIFFTAG_ROWSPERSTRIP,
               static_cast<std::uint32_t>(tiff_rows_per_strip(shape, type)));
  if (TIFFIsCODECConfigured(COMPRESSION_ADOBE_DEFLATE) != 0) {
    TIFFSetField(tiff, TIFFTAG_COMPRESSION, COMPRESSION_ADOBE_DEFLATE);
    TIFFSetField(tiff, TIFFTAG_PREDICTOR,
                 floating ? PREDICTOR_FLOATINGPOINT : PREDICTOR_HORIZONTAL);
  }
}

void write_tiff_rows(const TiffStream& stream, std::int64_t row, const Tensor& samples) {
  TIFF* tiff = stream.handle();
  std::uint32_t rows_per_strip = 0;
  if (TIFFGetField(tiff, TIFFTAG_ROWSPERSTRIP, &rows_per_strip) != 1) {
    stream.fail("cannot be written");
  }
  const auto row_size = static_cast<std::size_t>(samples.stride(0) * samples.element_size());
  const auto rows = static_cast<std::uint32_t>(samples.size(0));
  auto index = static_cast<std::uint32_t>(row) / rows_per_strip;
  // The predictor works in place, so that each strip is handed over as a copy.
  std::vector<char> strip(row_size * rows_per_strip);
  const auto* data = static_cast<const char*>(samples.const_data_ptr());
  for (std::uint32_t first = 0; first < rows; first += rows_per_strip, ++index) {
    const std::size_t size = row_size * std::min(rows_per_strip, rows - first);
    std::memcpy(strip.data(), data + row_size * first, size);
    if (TIFFWriteEncodedStrip(tiff, index, strip.data(), static_cast<tmsize_t>(size)) < 0) {
      stream.fail("cannot be written");
    }
  }
}

std::string encode_tiff(const Tensor& image, const ImageWriteOptions& options) {
  const Tensor samples = samples_from_image(image, options.samples);
  constexpr std::int64_t longest = std::int64_t{1} << 31;
  if (samples.size(0) >= longest || samples.size(1) >= longest)
    throw error::Io("TIFF: the image is too large");
  // Offsets of 32 bits reach 4 GB; compressed data can be larger than raw ones, if only a little.
  TiffStream stream(samples.nbytes() > std::size_t{3} << 30);
  begin_tiff_page(stream, samples.sizes().vec(), samples.scalar_type());
  write_tiff_rows(stream, 0, samples);
  return stream.finish();
}

}  // namespace tessera::detail
