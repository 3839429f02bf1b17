// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>
#include <vector>

#include "tessera/core/tensor.hpp"

namespace tessera {

/// A picture with its caption. Images are (1, 3, H, W) or (1, 1, H, W), intensities 0 to 1.
struct Panel {
  std::string label;
  Tensor image;
};

struct PreviewOptions {
  std::int64_t panel_width = 480;  ///< pixels; wider images are scaled down to it
  bool detail = true;              ///< a second row with the middle of each image, magnified
};

/// Pictures of equal size side by side under their labels, and below them a detail of each: one
/// (1, 3, H, W) image on the host. Throws error::InvalidArgument if there is none,
/// error::ShapeMismatch if their shapes differ.
Tensor side_by_side(const std::vector<Panel>& panels, const PreviewOptions& options = {});

}  // namespace tessera
