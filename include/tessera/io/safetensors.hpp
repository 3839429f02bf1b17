// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <map>
#include <string>

#include "tessera/core/state_dict.hpp"

namespace tessera {

/// Reads all tensors of a .safetensors file onto the host (format:
/// https://github.com/huggingface/safetensors). Dtypes F64, F32, F16, BF16, I64, I32, I16, I8, U8,
/// BOOL.
///
/// The whole header is validated before any tensor is allocated: sizes against shapes and dtypes,
/// offsets against each other and the file (no overlap, no hole, nothing out of bounds), duplicate
/// names. Throws error::Io naming file and cause. `metadata`, if given, receives the free text.
StateDict read_safetensors(const std::string& path,
                           std::map<std::string, std::string>* metadata = nullptr);

/// Writes tensors of those dtypes, from any device. Equal dictionaries give equal files. `metadata`
/// is free text, e.g. {{"licence", "..."}}. The file is replaced only once the new one is complete.
/// Throws error::InvalidArgument for another dtype or the reserved name "__metadata__", error::Io
/// if the file cannot be written.
void write_safetensors(const std::string& path, const StateDict& tensors,
                       const std::map<std::string, std::string>& metadata = {});

}  // namespace tessera
