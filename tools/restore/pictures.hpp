// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "restore/samples.hpp"
#include "tessera/comm/box.hpp"
#include "tessera/core/tensor.hpp"
#include "tessera/distributed/box_space.hpp"
#include "tessera/io/tiff_stack.hpp"

namespace restore {

/// A picture or a volume as its file has it.
struct Picture {
  tessera::Tensor values = {};          ///< (1, C, H, W) or (1, C, D, H, W), float32 or float64, in
                                        ///< units of the file; or what a choice says
  Samples samples = Samples::u8;        ///< a file of these loses nothing
  std::optional<double> white = {};     ///< the largest value of unsigned samples: 255, 65535
  std::vector<std::string> cards = {};  ///< of a FITS header
  std::string dataset = {};             ///< of an HDF5 file, its name
  std::optional<tessera::VoxelSize> voxel = {};  ///< of a TIFF file that says it
};

/// What of a file is meant.
struct PictureChoice {
  std::optional<std::int64_t> page = {};  ///< of a file with several pictures, from 1
  std::string axes = {};     ///< of an array, a letter each of c, z, y, x; empty: if it is clear
  std::string dataset = {};  ///< of an HDF5 file; empty: the only one
  /// Where it is known what to expect: 2 of a picture, 3 of a volume, whose axes then are (C, H,
  /// W), (D, H, W) and (C, D, H, W).
  std::int64_t spatial = 0;
  bool is_complex = false;  ///< values are complex64 or complex128
  bool is_list = false;     ///< an array of any shape is a list of values, (1, values)
};

/// Reads PNG, JPEG, TIFF (integers of 8, 16 and 32 bits, floating; several pages are a volume),
/// .npy and, where this was built with them, FITS and HDF5; arrays of three axes are volumes.
/// Integers of 8 bits without a sign and of 16 bits are such samples, others floating ones that
/// hold them: float32 of int8, float64 of int32 and int64, and of scaled integers of FITS.
/// Throws error::Io, and error::InvalidArgument for what is neither picture nor volume or may be
/// either, both naming the file.
Picture read_picture(const std::string& path, const PictureChoice& choice = {});

/// Whether a file by its name has no parts that can be read without the others: PNG and JPEG. Each
/// rank that wants a window of one decodes all of it.
bool is_decoded_whole(const std::string& path);

/// read_picture() without the values, which are of the device meta: no memory is kept for them. Of
/// TIFF files the samples are channels as they are: alpha, palettes and orientation are not looked
/// at, and error::InvalidArgument is thrown for a choice of page. PNG and JPEG files are decoded
/// whole, and what is decoded is dropped again.
Picture outline_of_picture(const std::string& path, const PictureChoice& choice = {});

/// The part `window` of the spatial axes of such a picture; but of PNG and JPEG, no more is read.
Picture read_window(const std::string& path, const PictureChoice& choice,
                    const tessera::Box& window);

/// "64x48", columns first; "64x48x20" of a volume.
std::string size_words(at::IntArrayRef spatial);

/// What a file of this name has for such samples: TIFF float32 for all but 8- and 16-bit ones.
Samples samples_in(const std::string& path, Samples samples);

/// Throws error::InvalidArgument, saying what to do, if a file of this name cannot hold images
/// (1, C, spatial...) of these samples, or if its folder is not there.
void check_output(const std::string& path, Samples samples, at::IntArrayRef image);

/// Writes values (1, C, H, W) or (1, C, D, H, W) of any floating dtype; integers are clamped and
/// rounded. The file is replaced only once the new one is complete. What `source` knows of its
/// header and voxels goes into files that have a place for it.
void write_picture(const std::string& path, const tessera::Tensor& values, Samples samples,
                   const Picture& source = {});

/// Throws error::InvalidArgument, saying what to do, if write_boxes() cannot write such a file.
void check_output_of_boxes(const std::string& path);

/// Collective. write_picture() of an image that the ranks of `space` share out, `own` being this
/// rank's box of it: .npy and HDF5 by all ranks, TIFF by the first, which gets it slab by slab.
void write_boxes(const std::string& path, const tessera::BoxSpace& space,
                 const tessera::Tensor& own, Samples samples, const Picture& source = {});

}  // namespace restore
