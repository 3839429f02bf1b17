// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>

#include "tessera/core/state_dict.hpp"

namespace tessera {

/// Reads the weights of a network onto the host: a .safetensors file, or what PyTorch's torch.save
/// wrote for a state dict (.pth, .pt; the zip layout and the older one without zip). Recognised by
/// content.
///
/// PyTorch files are pickles, and a pickle can name any function to call. This reader calls none:
/// it knows dictionaries, numbers, text and tensors, and refuses a file that names anything else.
///
/// Some files wrap the state dict, {"state_dict": {...}, "epoch": 3}: the one entry that is a
/// dictionary of tensors is taken. `entry` chooses it by name where there are several, e.g.
/// "params_ema".
///
/// Throws error::Io naming file and cause: missing, truncated, damaged, not weights, or ambiguous.
StateDict read_state_dict(const std::string& path, const std::string& entry = {});

}  // namespace tessera
