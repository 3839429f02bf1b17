// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tessera/comm/box.hpp"
#include "tessera/core/tensor.hpp"

namespace tessera {

/// How one sample of a pixel is stored in a file.
enum class SampleType { u8, u16, f32 };

struct ImageReadOptions {
  /// Larger images are refused before any memory is allocated for them.
  std::int64_t max_pixels = std::int64_t{1} << 31;
  /// Turn and mirror the image as the orientation tag of the file (EXIF, TIFF) says.
  bool apply_orientation = true;
  /// Which picture of a file that holds several, 1 for the first; empty: the largest.
  std::optional<std::int64_t> page = {};
  /// Rows and columns to read, of the picture as it is returned; none: all. Of a TIFF file strips
  /// and tiles outside of it are not decoded, and max_pixels is for the window; pictures of other
  /// formats are decoded whole.
  Box window = {};
};

/// What a file held, beside the pixels that were read.
struct ImageInfo {
  std::int64_t pages = 1;               ///< pictures in the file, thumbnails included
  std::int64_t page = 1;                ///< the one that was read, from 1
  SampleType samples = SampleType::u8;  ///< write_image() with it loses nothing
  int bits = 8;                         ///< of a sample in the file
  bool alpha_dropped = false;
  int orientation = 1;  ///< the tag, 1 to 8; undone if the options say so
  double smallest = 0;  ///< of the values returned; NaN if one of them is
  double largest = 0;   ///< likewise
};

struct ImageWriteOptions {
  /// PNG: u8, u16; JPEG: u8; TIFF: all three.
  SampleType samples = SampleType::u8;
  /// 1 to 100; colour is never subsampled.
  int jpeg_quality = 95;
};

/// Reads a PNG, JPEG or TIFF image (recognised by content, not by name) as a (1, C, H, W) float32
/// tensor on the host, C = 1 for grey and 3 for colour; a TIFF pixel of other samples has as many
/// channels.
///
/// 8- and 16-bit samples are divided by 255 and 65535, so that they lie between 0 and 1; floating
/// samples (TIFF, 32 bit) come as they are, NaN and infinities too (core/check.hpp finds them).
/// Values are those in the file: gamma and colour profiles are not applied. Palettes are expanded;
/// an alpha channel is dropped, without compositing. TIFF: strips and tiles, any compression
/// libtiff has, both planar configurations; extra samples are channels unless the file declares
/// them alpha.
///
/// A file may hold several pictures: TIFF pages, an animated PNG, a JPEG with a multi-picture index
/// (MPO). Thumbnails and masks are passed over and the largest of the rest is read; if several are
/// the largest, as in a stack, options.page must choose. `info`, if given, says what was there.
///
/// Throws error::Io naming file and cause: missing, of another format, truncated, damaged, CMYK,
/// several pictures of one size, more than options.max_pixels, or declaring more pixels than so
/// many bytes can hold. error::InvalidArgument if options.page < 1, and for a window that does not
/// fit.
Tensor read_image(const std::string& path, const ImageReadOptions& options = {},
                  ImageInfo* info = nullptr);

/// The shape (1, C, H, W) of the whole picture that read_image() reads from a TIFF file with these
/// options, without decoding it, of any size; empty for a file of another format. `info`, if given,
/// says what is there, but for the smallest and the largest value. Throws as read_image() does.
Extents read_tiff_shape(const std::string& path, const ImageReadOptions& options = {},
                        ImageInfo* info = nullptr);

/// What a user should be told of a file that was read, a clause each; mostly nothing: that it holds
/// several pictures, that 16-bit samples use only 14 bits or fewer, that floating values leave 0..1
/// or are not finite.
std::vector<std::string> image_notes(const ImageInfo& info);

/// Writes an image; the format follows from the ending .png, .jpg, .jpeg, .tif or .tiff. The file
/// is replaced only once the new one is complete.
///
/// `image` is floating, (1, C, H, W), (C, H, W) or (H, W), on any device; C = 1 or 3, in TIFF files
/// also others (up to 512; written as grey with extra samples that are no alpha). Integer samples:
/// values are clamped to 0..1, scaled and rounded to nearest; NaN becomes 0. f32 samples: written
/// as they are (float64 is rounded). TIFF files are deflate-compressed.
///
/// Throws error::InvalidArgument for options or an ending that do not fit, error::ShapeMismatch for
/// a tensor that is no image, error::Io if the file cannot be written.
void write_image(const std::string& path, const Tensor& image,
                 const ImageWriteOptions& options = {});

}  // namespace tessera
