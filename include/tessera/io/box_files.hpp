// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <string>

#include "tessera/comm/box.hpp"
#include "tessera/comm/communicator.hpp"
#include "tessera/core/tensor.hpp"
#include "tessera/distributed/box_space.hpp"
#include "tessera/distributed/box_stream.hpp"
#include "tessera/io/tiff_stack.hpp"

/// Files of images that ranks share out (BoxSpace): no rank reads, writes or holds more than its
/// box and a slab of bounded size. HDF5: io/hdf5.hpp. All of it is collective; all ranks see the
/// same folder. What goes wrong on one rank ends the call on all, with error::RankFailure.
///
/// A file appears whole or not at all: the first rank makes a temporary one, which is renamed once
/// all ranks have written; a failure removes it, and an older file of the name stays as it was. A
/// rank that is killed leaves it behind, and the next writer of that name removes it: two programs
/// do not write one name at the same time.
namespace tessera {

/// Collective. Reads this rank's box of an array (extents), (C, extents) or (B, C, extents) of the
/// space, as (B, C, extents of the box), on the host. Fails as read_npy() does, and for other
/// extents (error::ShapeMismatch).
Tensor read_npy_boxes(const std::string& path, const BoxSpace& space);

/// Collective. Writes an image of which `own`, (B, C, extents of the box), is this rank's box, as
/// one array (B, C, extents of the space): each rank writes its box into its place. Fails as
/// write_npy() does.
void write_npy_boxes(const std::string& path, const BoxSpace& space, const Tensor& own);

/// Collective. The same for any array that `ranks` share out, such as a measurement
/// (BoxedOperator::measured_box): `part`, (..., extents of the box), is `box` of an array (...,
/// extents). Boxes are disjoint; what none of them has is zero.
void write_npy_boxes(const std::string& path, Communicator& ranks, const Tensor& part,
                     const Box& box, const Extents& extents);

/// Collective. Reads this rank's box of a stack, as (frames, channels, extents of the box), on the
/// host; for images of two dimensions it has one plane. Fails as read_tiff_stack() does, and for
/// other extents (error::ShapeMismatch). Strips and tiles that the box does not meet are not
/// decoded.
Tensor read_tiff_boxes(const std::string& path, const BoxSpace& space);

/// Collective. Writes an image in boxes, (B, C, extents of the box), as write_tiff_stack() writes
/// the whole one, of (B, C, 1, H, W) or (B, C, D, H, W), with the same errors. A TIFF file has one
/// writer, because compressed strips have no place before they are made: rows come to the first
/// rank in slabs of at most `most_bytes`, or one strip.
void write_tiff_boxes(const std::string& path, const BoxSpace& space, const Tensor& own,
                      const TiffStackWriteOptions& options = {},
                      std::int64_t most_bytes = slab_bytes);

}  // namespace tessera
