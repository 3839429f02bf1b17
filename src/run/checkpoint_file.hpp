#pragma once

#include <map>
#include <string>
#include <vector>

#include "tessera/solver/solver.hpp"

namespace tessera::detail {

/// What a checkpoint holds.
struct CheckpointFile {
  SolverState state;
  std::map<std::string, std::string> configuration;
  std::vector<std::string> observers;  ///< what the observer of each rank saved
};

/// A .safetensors file: tensor "x"; tensors "observer.<rank>" (bytes) where there is something;
/// metadata "format", "iterations", "elapsed_s", "relative_change", "ranks", "option.<name>", and
/// "checksum", the CRC-32 of all the rest. Both throw error::Io.
void write_checkpoint(const std::string& path, const CheckpointFile& content);
CheckpointFile read_checkpoint(const std::string& path);

}  // namespace tessera::detail
