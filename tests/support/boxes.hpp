// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <memory>
#include <vector>

#include "tensors.hpp"
#include "tessera/distributed/box_space.hpp"
#include "world.hpp"

namespace test {

/// Boxes of all ranks for images of the extents of this one.
inline tessera::BoxSpacePtr boxes_for(const tessera::Tensor& image,
                                      const tessera::BoxSpaceOptions& options = {}) {
  return std::make_shared<tessera::BoxSpace>(world(), image.sizes().slice(2).vec(), options);
}

/// Images of two and three dimensions, of no extent that ranks share evenly.
inline std::vector<tessera::Tensor> images_to_share() {
  return {indexed({2, 3, 29, 37}), indexed({1, 2, 11, 13, 17})};
}

}  // namespace test
