#pragma once

#include <string>

namespace tessera {

/// Path of the denoiser weights that come with the library (a small colour DRUNet, .safetensors).
/// Looked for beside the library or program (so that an installed tree may be moved), in the source
/// tree this library was built from, and where it was installed. Throws error::Io saying where it
/// looked.
std::string default_weights();

}  // namespace tessera
