// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <optional>
#include <string>

#include "io/hdf5/hdf5_handles.hpp"
#include "tessera/core/tensor.hpp"

namespace tessera::detail {

/// How a dataset is read: as this type of HDF5 into a tensor of that one.
struct Hdf5Reading {
  Hdf5Id memory;
  at::ScalarType type;
};

/// How numbers of the file's type are read; throws error::Io with the bare cause for types that are
/// not supported.
Hdf5Reading hdf5_reading(hid_t file_type);

/// The type to write a tensor's elements as, in memory and file; nothing if there is none.
std::optional<Hdf5Id> hdf5_type_of(at::ScalarType type);

}  // namespace tessera::detail
