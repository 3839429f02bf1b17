// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <map>
#include <string>
#include <vector>

#include "tessera/solver/solver.hpp"

namespace tessera::detail {

/// Measurement-shaped variables by name, then by global index of the operator.
using MeasuredByOperator = std::map<std::string, std::map<std::int64_t, Tensor>>;

/// What a checkpoint holds.
struct CheckpointFile {
  SolverState state;  ///< its `measured` is empty
  MeasuredByOperator measured;
  std::map<std::string, std::string> configuration;
  std::vector<std::string> observers;  ///< what the observer of each rank saved
};

/// A .safetensors file of format "tessera checkpoint 2".
///
/// Tensors: "x"; "image.<name>"; "measured.<name>.<global index of the operator>"; and, where there
/// is something, "observer.<rank>", bytes. Complex ones are pairs of real numbers along a last
/// dimension, and "complex.<tensor>" is in the metadata.
/// Metadata: "format", "iterations", "elapsed_s", "relative_change", "number.<name>" and "ranks",
/// numbers as the shortest decimals that read back to the same bits; "option.<name>"; "checksum",
/// the CRC-32 of all the rest.
///
/// Both throw error::Io; read_checkpoint also for files of another format, naming it.
void write_checkpoint(const std::string& path, const CheckpointFile& content);
CheckpointFile read_checkpoint(const std::string& path);

}  // namespace tessera::detail
