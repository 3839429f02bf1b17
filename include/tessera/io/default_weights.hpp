// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>

/// Folder of the weights, told by the build system of whoever includes this: the target tessera::io
/// knows where it was installed, or its source tree.
#ifndef TESSERA_WEIGHTS_DIR
#define TESSERA_WEIGHTS_DIR ""
#endif

namespace tessera {

/// Path of the denoiser weights that come with the library (a small colour DRUNet, .safetensors).
/// Looked for beside the library or program (so that a program may be moved together with them),
/// then in `folder`. Throws error::Io saying where it looked.
std::string default_weights(const std::string& folder = TESSERA_WEIGHTS_DIR);

}  // namespace tessera
