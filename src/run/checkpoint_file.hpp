// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "tessera/distributed/box_space.hpp"
#include "tessera/solver/solver.hpp"

namespace tessera::detail {

/// Measurement-shaped variables by name, then by global index of the operator.
using MeasuredByOperator = std::map<std::string, std::map<std::int64_t, Tensor>>;

/// Where the tensors of a checkpoint live that ranks share out; of whole ones, nothing.
struct SharedOut {
  BoxSpacePtr images;                            ///< of x and the images
  std::map<std::int64_t, BoxSpacePtr> measured;  ///< by global index of the operator
};

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
///
/// Where images are shared out, write_checkpoint is collective: they and the measured variables are
/// the parts of each rank, and the first one writes the file, the same as if they were whole.
void write_checkpoint(const std::string& path, const CheckpointFile& content,
                      const SharedOut& spaces = {});

/// With `values_later`, x, the images and the measured variables are tensors without values (on the
/// device "meta"), for read_part().
CheckpointFile read_checkpoint(const std::string& path, bool values_later = false);

/// Collective. This rank's part of the tensor `name` of the file, of which `like` says leading
/// dimensions and dtype, from the file that the first rank reads.
Tensor read_part(const std::string& path, const std::string& name, const Tensor& like,
                 const BoxSpace& space);

/// The names of tensors in the file.
std::string image_key(const std::string& name);
std::string measured_key(const std::string& name, std::int64_t index);

}  // namespace tessera::detail
