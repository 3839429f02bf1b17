// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>

/// Folder of the weights, told by the build system of whoever includes this: the target tessera::io
/// knows where it was installed, or its source tree.
#ifndef TESSERA_WEIGHTS_DIR
#define TESSERA_WEIGHTS_DIR ""
#endif

namespace tessera {

/// The weights that come with the library, each a .safetensors file.
enum class DefaultWeights {
  drunet,        ///< a small DRUNet for colour images
  drunet_grey,   ///< the same for grey images
  ridge_grey,    ///< a RidgePrior of grey images
  ridge_volume,  ///< a RidgePrior of volumes of one channel
};

/// Path of these weights. Looked for beside the library or program (so that a program may be moved
/// together with them), then in `folder`. Throws error::Io saying where it looked.
std::string default_weights(DefaultWeights which, const std::string& folder = TESSERA_WEIGHTS_DIR);

/// Path of the small DRUNet for colour images.
std::string default_weights(const std::string& folder = TESSERA_WEIGHTS_DIR);

}  // namespace tessera
