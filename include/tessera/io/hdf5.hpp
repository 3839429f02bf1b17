// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tessera/comm/box.hpp"
#include "tessera/comm/communicator.hpp"
#include "tessera/core/state_dict.hpp"
#include "tessera/core/tensor.hpp"

/// Arrays in HDF5 files, k-space above all; component tessera::hdf5, which needs the serial HDF5
/// library. Damaged files are refused, but how well this succeeds depends on that library: read
/// files of strangers with a recent one (docs/reference/files.md).
namespace tessera {

class BoxSpace;

struct Hdf5Dataset {
  std::string name;  ///< with its groups: "group/array"
  std::vector<std::int64_t> shape;
  std::string type;  ///< dtype that read_hdf5() returns, or why it reads none
};

struct Hdf5ReadOptions {
  Box window = {};  ///< of the last axes of the array; those before them are taken whole
  /// A larger array, or window, is refused before memory is allocated for it.
  std::int64_t max_values = std::int64_t{1} << 34;
};

/// The datasets of a file, in the order of their names. Throws error::Io.
std::vector<Hdf5Dataset> list_hdf5(const std::string& path);

/// Reads a dataset, "kspace" or "group/array", or a window of it, onto the host: floating numbers
/// (float16 comes as float32), integers of 8 to 64 bits (uint32 comes as int64; uint64 is
/// refused), bool as h5py writes it, and complex numbers, compounds of two floating ones
/// named r and i (h5py, fastMRI) or real and imag (ISMRMRD).
///
/// Throws error::Io naming file and cause: missing, no HDF5, truncated, damaged, no such dataset
/// (with the names that are there), another type, data outside of the file (links and external
/// storage are never followed), more than options.max_values, or more than so many bytes can hold.
/// error::InvalidArgument for a window that does not fit.
Tensor read_hdf5(const std::string& path, const std::string& dataset,
                 const Hdf5ReadOptions& options = {});

/// Writes tensors from any device: float32, float64, complex64, complex128 (compounds of r and i),
/// uint8, uint16, int8, int16, int32, int64 or bool, as h5py does. A name may have groups:
/// "group/array". The file is replaced only once the new one is complete, and kept in memory until
/// then. Throws error::InvalidArgument for another dtype or an empty name, error::Io if the file
/// cannot be written.
void write_hdf5(const std::string& path, const StateDict& datasets);

/// Collective. This rank's box of a dataset (extents), (C, extents) or (B, C, extents) of the
/// space, as (B, C, extents of the box), on the host. Fails as read_hdf5() does, and for other
/// extents (error::ShapeMismatch), on all ranks.
Tensor read_hdf5_boxes(const std::string& path, const std::string& dataset, const BoxSpace& space);

/// Collective. Writes a file of one dataset, an image of which `own`, (B, C, extents of the box),
/// is this rank's box: each rank writes its box into its place, without the HDF5 library, because a
/// contiguous dataset has its place once it is made. As io/box_files.hpp says, the file appears
/// whole or not at all, and what goes wrong on one rank ends the call on all. Fails as write_hdf5()
/// does.
void write_hdf5_boxes(const std::string& path, const std::string& dataset, const BoxSpace& space,
                      const Tensor& own);

/// Collective. The same for any array that `ranks` share out: `part`, (..., extents of the box), is
/// `box` of an array (..., extents). Boxes are disjoint; what none of them has is zero.
void write_hdf5_boxes(const std::string& path, const std::string& dataset, Communicator& ranks,
                      const Tensor& part, const Box& box, const Extents& extents);

struct FastMri {
  Tensor kspace;  ///< (slices, coils, H, W) complex64; one coil where the file has no such axis
  Tensor reconstruction;  ///< (slices, H, W) float32; undefined if the file has none
};

/// Reads a file of the layout of fastMRI: dataset "kspace", and "reconstruction_rss" or
/// "reconstruction_esc" if present, of all slices or of `slices`. Throws as read_hdf5() does.
FastMri read_fastmri(const std::string& path, const std::optional<Interval>& slices = {});

}  // namespace tessera
