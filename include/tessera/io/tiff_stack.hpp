// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "tessera/comm/box.hpp"
#include "tessera/core/tensor.hpp"
#include "tessera/io/image.hpp"

namespace tessera {

/// Edges of a voxel, in the order of the dimensions (D, H, W).
struct VoxelSize {
  double depth = 1;
  double height = 1;
  double width = 1;
  std::string unit = "um";  ///< of all three; micrometres are always "um"
};

struct TiffStack {
  Tensor values;                      ///< (T, C, D, H, W): frames, channels, planes, rows, columns
  Extents shape;                      ///< of the whole stack in the file
  at::ScalarType stored = at::kByte;  ///< type of the samples in the file
  double smallest = 0;                ///< of the values; NaN if one of them is
  double largest = 0;                 ///< likewise
  std::optional<VoxelSize> voxel;     ///< if the file says it
};

struct TiffStackReadOptions {
  /// Of the last axes of (T, C, D, H, W), the others are taken whole; pages, strips and tiles
  /// outside of it are not decoded.
  Box window = {};
  /// A larger stack, or window, is refused before memory is allocated for it.
  std::int64_t max_values = std::int64_t{1} << 34;
};

struct TiffStackWriteOptions {
  SampleType samples = SampleType::f32;
  std::optional<VoxelSize> voxel = {};
};

/// Reads all pages of a TIFF file of either kind (classic, BigTIFF), in strips or tiles, as one
/// array on the host: signed and unsigned integers of 8, 16 and 32 bits, floating samples of 32 and
/// 64. Values are those of the file, never scaled, palettes are not applied; their type is float32
/// if it holds every value of the stored one, else float64.
///
/// What the pages are is read from the description of the first: OME-XML (SizeT, SizeC, SizeZ,
/// DimensionOrder, TiffData, PhysicalSize) or ImageJ's text (frames, channels, slices, spacing);
/// without one of these, pages are planes. Several samples a pixel are channels. Smaller versions
/// and masks among the pages are passed over.
///
/// Throws error::Io naming file and cause: missing, no TIFF, truncated, damaged, pages that differ
/// in size or type (with their numbers), axes that do not fit the pages, images that are parts of
/// several files, more than options.max_values. error::InvalidArgument for a window that does not
/// fit.
TiffStack read_tiff_stack(const std::string& path, const TiffStackReadOptions& options = {});

/// Writes a stack (T, C, D, H, W) or (D, H, W), floating or integer, on any device, as pages that
/// ImageJ and OME readers understand (ImageJ's description), deflate-compressed, BigTIFF above 4
/// GB. Values are written as they are: u8 and u16 samples round to nearest, f32 rounds float64. The
/// file is replaced only once the new one is complete, and kept in memory until then.
///
/// Throws error::InvalidArgument if integer samples cannot hold a value (too small, too large,
/// NaN), error::ShapeMismatch for a tensor that is no stack, error::Io if the file cannot be
/// written.
void write_tiff_stack(const std::string& path, const Tensor& stack,
                      const TiffStackWriteOptions& options = {});

}  // namespace tessera
