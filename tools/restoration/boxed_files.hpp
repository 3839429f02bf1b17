// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "restoration/arrays.hpp"
#include "restoration/photograph.hpp"
#include "tessera/comm/communicator.hpp"
#include "tessera/core/tensor.hpp"
#include "tessera/distributed/box_space.hpp"

/// Files of images that ranks share out, which no rank ever has whole. Every function is collective
/// over the ranks of the spaces, and throws error::RankFailure on all of them.
namespace restoration {

/// Writes images (1, C, H, W) of one space, of which `own` are this rank's boxes: a .npy file
/// (C, H, W) of one, (N, C, H, W) of several. The file is replaced only once the new one is
/// complete.
void write_npy_of_boxes(const std::string& path, const tessera::BoxSpace& space,
                        const tessera::TensorList& own);

/// Local. read_image_array() without the values: an image of its shape that takes no memory.
Photograph shape_of_image_array(const std::string& path);

/// read_image_array() of boxes: each rank reads its own, (1, 3, box), and no more of the file.
Photograph read_image_of_boxes(const std::string& path, const tessera::BoxSpace& space);

/// read_measurements() of boxes: the parts of all measurements that `spaces` give this rank, one
/// for each, with these options.
Measurements read_measurements_of_boxes(const std::string& path,
                                        const std::vector<tessera::BoxSpacePtr>& spaces,
                                        const at::TensorOptions& options, double noise,
                                        bool clipped);

/// A digest of an image, the same for all cuts and numbers of ranks, on all ranks.
std::string digest_of_boxes(const tessera::BoxSpace& space, const tessera::Tensor& own);

/// The file of --image, and which picture of it: read_photograph().
struct PhotographFile {
  std::string path;
  std::optional<std::int64_t> page = {};
};

/// A photograph before its boxes are read: of a TIFF file every rank has the shape, and of another
/// the first rank the whole and the others the shape (Photograph::is_shape).
Photograph begin_photograph(const PhotographFile& file, tessera::Communicator& ranks);

/// This rank's box, (1, 3, box) on `device`, of a photograph scaled to the extents of the space. Of
/// a TIFF file that has these extents each rank decodes its window. Any other the first rank has
/// whole, once, and the others get their boxes slab by slab.
Photograph read_photograph_of_boxes(const PhotographFile& file, const tessera::BoxSpace& space,
                                    Photograph begun, at::Device device);

}  // namespace restoration
