// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>
#include <vector>

#include "grid/program.hpp"

namespace grid {

/// What is to be done with a configuration file.
struct Orders {
  std::string config;           ///< the file
  std::string out;              ///< the folder; each row has one in it
  bool dry_run = false;         ///< say what would run, and stop
  bool submit = false;          ///< to Slurm; else run here
  std::string parallel_config;  ///< how Slurm starts a row
  std::string launcher;         ///< of ranks, with its flags; empty: the one found by the build
  bool quiet = false;           ///< do not show what rows print
  /// Options that override the file: {{"--image-size", "512"}, ...}.
  std::vector<std::vector<std::string>> given;
};

/// Runs the rows of a grid one after the other, each by itself into a folder of its own; a row that
/// is there already is left alone. Returns the exit code of the program, 1 if a row failed; errors
/// are explained on stderr.
int run_grid(Program& program, const Orders& orders);

}  // namespace grid
