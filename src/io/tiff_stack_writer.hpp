// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <string>

#include "io/tiff_stream.hpp"
#include "tessera/core/tensor.hpp"
#include "tessera/io/tiff_stack.hpp"

namespace tessera::detail {

/// Throws error::InvalidArgument, beginning with "who: path", for a voxel that is none.
void check_tiff_options(const char* who, const std::string& path,
                        const TiffStackWriteOptions& options);

/// Whether a stack (T, C, D, H, W) needs offsets of 64 bits.
bool needs_big_tiff(const Extents& shape, SampleType samples);

/// The pages of a stack (T, C, D, H, W), in the order T, D, C, which ImageJ's description says, as
/// rows come; all that is given outlives it. Throws error::Io with the bare cause;
/// error::InvalidArgument if integer samples cannot hold a value.
class TiffStackWriter {
 public:
  TiffStackWriter(const std::string& path, const TiffStream& stream, Extents shape,
                  const TiffStackWriteOptions& options);
  /// Rows of a strip of such a stack.
  static std::int64_t rows_per_strip(const Extents& shape, SampleType samples);
  /// The next rows of the current page, (rows, W): whole strips, but for the last of the page.
  void write(const Tensor& rows);

 private:
  void begin_page() const;

  const std::string& path_;
  const TiffStream& stream_;
  Extents shape_;
  const TiffStackWriteOptions& options_;
  std::int64_t page_ = 0;
  std::int64_t row_ = 0;
};

}  // namespace tessera::detail
