#pragma once

#include <cstdint>
#include <string>

#include "tessera/core/tensor.hpp"

namespace tessera {

/// How one sample of a pixel is stored in a file.
enum class SampleType { u8, u16, f32 };

struct ImageReadOptions {
  /// Larger images are refused before any memory is allocated for them.
  std::int64_t max_pixels = std::int64_t{1} << 31;
  /// Turn and mirror the image as the orientation tag of a JPEG (EXIF) or TIFF file says.
  bool apply_orientation = true;
};

struct ImageWriteOptions {
  /// PNG: u8, u16; JPEG: u8; TIFF: all three.
  SampleType samples = SampleType::u8;
  /// 1 to 100; colour is never subsampled.
  int jpeg_quality = 95;
};

/// Reads a PNG, JPEG or TIFF image (recognised by content, not by name) as a (1, C, H, W) float32
/// tensor on the host, C = 1 for grey and 3 for colour.
///
/// 8- and 16-bit samples are divided by 255 and 65535, so that they lie between 0 and 1; floating
/// samples (TIFF, 32 bit) come as they are. Values are those in the file: gamma and colour profiles
/// are not applied. Palettes are expanded; an alpha channel is dropped, without compositing. TIFF:
/// strips and tiles, any compression libtiff has, both planar configurations; the first page.
///
/// Throws error::Io naming file and cause: missing, of another format, truncated, damaged, CMYK,
/// more than options.max_pixels, or declaring more pixels than so many bytes can hold.
Tensor read_image(const std::string& path, const ImageReadOptions& options = {});

/// Writes an image; the format follows from the ending .png, .jpg, .jpeg, .tif or .tiff. The file
/// is replaced only once the new one is complete.
///
/// `image` is floating, (1, C, H, W), (C, H, W) or (H, W) with C = 1 or 3, on any device. Integer
/// samples: values are clamped to 0..1, scaled and rounded to nearest; NaN becomes 0. f32 samples:
/// written as they are (float64 is rounded). TIFF files are deflate-compressed.
///
/// Throws error::InvalidArgument for options or an ending that do not fit, error::ShapeMismatch for
/// a tensor that is no image, error::Io if the file cannot be written.
void write_image(const std::string& path, const Tensor& image,
                 const ImageWriteOptions& options = {});

}  // namespace tessera
