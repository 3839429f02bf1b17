// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "tessera/core/tensor.hpp"
#include "tessera/distributed/box_space.hpp"

namespace restore {

/// An image, (1, C, H, W) or (1, C, D, H, W), or this rank's part of one that ranks share out.
struct ImagePart {
  tessera::Tensor values = {};
  tessera::BoxSpacePtr boxes = {};  ///< null: all of it is here
};

}  // namespace restore
