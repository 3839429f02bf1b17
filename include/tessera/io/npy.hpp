// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tessera/comm/box.hpp"
#include "tessera/core/tensor.hpp"

namespace tessera {

/// What a .npy file holds.
struct NpyHeader {
  at::ScalarType type = at::kFloat;
  std::vector<std::int64_t> shape;
  bool fortran_order = false;  ///< of the file; what is read has C order
  bool swapped = false;        ///< big-endian
};

/// Reads one NumPy array (.npy, format versions 1 to 3), or a window of it, onto the host, with its
/// shape and dtype: float16, float32, float64, complex64, complex128, uint8, uint16, int8, int16,
/// int32, int64 or bool. Big-endian files are swapped; Fortran order is brought to C order. A
/// zero-dimensional array stays one. `window` counts the last axes of the array; those before them
/// are taken whole, and with no axes all of it. No more of the file is loaded.
///
/// Throws error::Io naming file and cause: missing, truncated, longer than its array, damaged, or
/// of another dtype (Python objects and structured dtypes are never read). error::InvalidArgument
/// for a window that does not fit.
Tensor read_npy(const std::string& path, const Box& window = {});

/// Reads the header alone; throws as read_npy() does.
NpyHeader read_npy_header(const std::string& path);

/// Writes a tensor of one of those dtypes, from any device, as .npy (version 1, C order,
/// little-endian). The file is replaced only once the new one is complete. Throws
/// error::InvalidArgument for another dtype, error::Io if the file cannot be written.
void write_npy(const std::string& path, const Tensor& tensor);

}  // namespace tessera
