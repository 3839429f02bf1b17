// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "tessera/tomography/scan_geometry.hpp"

/// Joseph's projector (P. Joseph, IEEE Trans. Med. Imaging 1, 1982): a ray steps through the planes
/// of voxels across its main axis, the one along which it runs fastest; in each plane the image is
/// interpolated linearly, and counts with the length of the ray between two planes.
namespace tessera::joseph {

/// Voxels of an image, its spatial dimensions in order.
struct Grid {
  Extents spatial;
  double voxel;  ///< length of a side
};

/// Neighbouring cells of a row of the detector whose rays have the same main axis. In plane i ray l
/// is at start[d][l] + slope[d][l] i, in voxels, along the other axes, the last of them d = 1; in
/// two dimensions there is no other, and d = 0 is unused.
struct RayBlock {
  static constexpr std::int64_t most = 64;
  std::int64_t axis;        ///< of the image: 0 to 2
  std::int64_t count;       ///< rays
  std::int64_t cell;        ///< of the first ray, in the views one after another
  std::int64_t begin, end;  ///< the planes outside of which no ray meets the image
  double start[2][most];
  double slope[2][most];
  double length[most];  ///< of a ray between two planes, in world units
};

/// The rays of the cells of one row of the detector in one view, appended to `blocks`.
void append_blocks(const ScanGeometry& geometry, const Grid& grid, std::int64_t view,
                   std::int64_t row, std::vector<RayBlock>& blocks);

}  // namespace tessera::joseph
