// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tessera/comm/box.hpp"
#include "tessera/core/tensor.hpp"

/// Images of FITS files; component tessera::fits, which needs cfitsio.
namespace tessera {

struct FitsImage {
  Tensor values;                   ///< NAXIS1 is the last dimension: (rows, columns) of a picture
  std::string unit;                ///< BUNIT; empty if the header has none
  std::vector<std::string> cards;  ///< header as it is, up to 80 characters a card, without END
  /// uint8, int16, int32 or int64 of unscaled integers, uint16 of those of 16 bits with BZERO
  /// 32768, of all others the dtype of `values`: write_fits() of this type loses nothing.
  at::ScalarType stored = at::kFloat;
};

/// What of a FITS file is known without its values.
struct FitsHeader {
  Extents shape;                   ///< NAXIS1 is the last
  at::ScalarType type;             ///< of the values as they are read, float32 or float64
  std::string unit;                ///< as in FitsImage
  std::vector<std::string> cards;  ///< as in FitsImage
  at::ScalarType stored;           ///< as in FitsImage
};

struct FitsReadOptions {
  /// Of the last axes of the image; those before them are taken whole, and with no axes all of it.
  Box window = {};
  /// A larger image, or window, is refused before memory is allocated for it.
  std::int64_t max_values = std::int64_t{1} << 34;
};

/// Reads the first image of a FITS file, or a window of it, the primary array or an image extension
/// before any table, of 1 to 4 axes and any BITPIX. Values are physical: BZERO + BSCALE * stored,
/// NaN where an integer is BLANK. They are float32 if that holds all of them exactly (BITPIX 8 and
/// 16 without a scale other than the offset of unsigned integers, -32 without one), else float64.
/// The first row is the first of the file, which viewers show at the bottom.
///
/// Throws error::Io naming file and cause: missing, no FITS, truncated, damaged, without an image,
/// tile-compressed (funpack makes plain files of those), more than options.max_values. Names are
/// names of files, without cfitsio's filters; compressed files (.gz) are refused.
/// error::InvalidArgument for a window that does not fit.
FitsImage read_fits(const std::string& path, const FitsReadOptions& options = {});

/// All but the values. Throws as read_fits() does.
FitsHeader read_fits_header(const std::string& path);

/// Writes a tensor of 1 to 4 dimensions from any device as primary array: float32, float64, uint8,
/// int16, uint16 (with BZERO 32768), int32 or int64, as it is. `cards`, e.g. those of an image that
/// was read, go into the header (coordinates, unit, history) but for those that say how values are
/// stored. The file is replaced only once the new one is complete.
///
/// Throws error::InvalidArgument for another dtype, number of dimensions or a card that is not up
/// to 80 printable ASCII characters, error::Io if the file cannot be written.
void write_fits(const std::string& path, const Tensor& values,
                const std::vector<std::string>& cards = {});

}  // namespace tessera
