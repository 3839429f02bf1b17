// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>
#include <vector>

#include "tessera/core/tensor.hpp"
#include "tessera/distributed/box_space.hpp"

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

/// Collective over the ranks of `space`. A picture, on the first rank, of an image that they share
/// out and of which `own` is this rank's box, (1, C, extents of it), on two axes: (1, C, H, W) on
/// the host, float32, neither side longer than `most` pixels. Pixels are means of squares of as
/// many pixels each as that takes, the last ones of what there is of them; none where the image is
/// not larger. An empty tensor on the other ranks. Each rank sends what it has of the picture.
Tensor picture_at_root(const BoxSpace& space, const Tensor& own, std::int64_t most = 1024);

}  // namespace tessera
