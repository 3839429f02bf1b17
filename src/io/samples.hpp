// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "io/input_file.hpp"
#include "tessera/core/tensor.hpp"
#include "tessera/io/image.hpp"

/// What the image formats share. Decoders and encoders throw error::Io with the bare cause.
namespace tessera::detail {

/// Throws error::Io for an empty image or more pixels than allowed.
void check_pixels(std::int64_t width, std::int64_t height, std::int64_t most);

/// Throws error::Io if `file_size` bytes cannot hold `raw_size` bytes compressed by at most
/// `ratio`.
void check_plausible(std::uint64_t raw_size, std::uint64_t file_size, std::uint64_t ratio);

/// (H, W, C) uint8, uint16 or floating samples as a (1, C, H, W) float32 image.
Tensor image_from_samples(const Tensor& samples);

/// (C, H, W) floating image as contiguous (H, W, C) samples of the given type.
Tensor samples_from_image(const Tensor& image, SampleType type);

/// Undoes EXIF/TIFF orientation 1 to 8 of a (1, C, H, W) image; other numbers count as 1.
Tensor upright(const Tensor& image, int orientation);

/// Channels that images may have.
constexpr std::int64_t most_channels = 512;

/// One picture of a file, as far as the choice depends on it.
struct Picture {
  std::int64_t width = 0;
  std::int64_t height = 0;
  bool secondary = false;  // a thumbnail, a smaller version, a mask
};

/// Index of the picture to read: options.page, or the largest that is not secondary (of all, if all
/// are). Notes the choice in `info`. Throws error::Io if that page is missing, or if several are
/// the largest.
std::size_t choose_picture(const std::vector<Picture>& pictures, const ImageReadOptions& options,
                           ImageInfo& info);

/// The picture that choose_picture() chooses as (1, C, H, W), not yet upright. They fill `info`
/// except for its smallest and largest value.
Tensor decode_png(std::string_view bytes, const ImageReadOptions& options, ImageInfo& info);
Tensor decode_jpeg(std::string_view bytes, const ImageReadOptions& options, ImageInfo& info);

/// The same of options.window, and the shape of all of it, (1, C, H, W), upright if the options say
/// so.
Tensor decode_tiff(const InputFile& file, const std::string& path, const ImageReadOptions& options,
                   ImageInfo& info);
Extents tiff_shape(const InputFile& file, const ImageReadOptions& options, ImageInfo& info);

/// The complete file for a (C, H, W) floating host image, C = 1 or 3; TIFF: up to most_channels.
std::string encode_png(const Tensor& image, const ImageWriteOptions& options);
std::string encode_jpeg(const Tensor& image, const ImageWriteOptions& options);
std::string encode_tiff(const Tensor& image, const ImageWriteOptions& options);

}  // namespace tessera::detail
