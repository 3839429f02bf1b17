// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "grid/config.hpp"
#include "grid/grid.hpp"
#include "grid/program.hpp"

namespace grid {

/// The machine that rows are to run on.
struct Machine {
  int cores = 1;  ///< that this process may use
  int gpus = 0;
  int threads = 0;             ///< per rank, as the environment asks for; 0: cores shared
  double available_bytes = 0;  ///< of memory; 0: unknown
};

Machine this_machine();

/// A row of the grid, ready to run.
struct GridRow {
  std::string name;  ///< of its folder: "pnp-drunet-2-ranks"
  std::string out;   ///< its folder
  Settings settings;
  Run run;  ///< the settings, overridden by the command line
  int nodes = 1;
  int tasks_per_node = 1;
  int gpus_per_node = 0;              ///< as asked for by slurm_gres
  std::vector<std::string> switches;  ///< arguments without effect on the result: --no-report ...
  int ranks() const { return nodes * tasks_per_node; }
  /// The arguments of its ranks, complete, --out and switches included.
  std::vector<std::string> arguments() const;
};

/// Where rows run, and what that leaves to decide.
struct Target {
  bool is_cluster = false;  ///< a Slurm cluster instead of `machine`
  Machine machine{};
  int threads = 0;  ///< per rank on the cluster, from cpus-per-task; 0: the program decides
};

/// The rows of a grid. The options of `orders` override the file, in the rows whose solver has the
/// option. Device and threads, where neither says them, follow from the target: a row that asks for
/// GPUs runs on the CPU on a machine that has none, and the cores are shared by the ranks. Throws
/// error::InvalidArgument, with the place in the file, for values that the program refuses, for
/// names of files with control characters or bytes that are no UTF-8, for a number of tasks that is
/// not the number of GPUs, and for counts below one.
std::vector<GridRow> make_rows(const Program& program, const GridConfig& config,
                               const Orders& orders, const Target& target);

/// Names for rows: the program's title and the ranks, and where those do not tell them apart also
/// the keys that vary. Unique; letters, digits, '.', '_' and '-' only.
std::vector<std::string> row_names(const Program& program, const std::vector<Settings>& rows,
                                   const std::vector<int>& ranks);

/// Why the machine cannot hold the row; empty if it can.
std::string obstacle(const GridRow& row, const RunPlan& plan, const Machine& machine);

/// GPUs per node from slurm_gres: "gpu:2" and "gpu:a100:2" are 2, "gpu" is 1, "" and "none" are 0.
/// Throws error::InvalidArgument for anything else.
int gpus_of(const std::string& gres);

/// Everything a row runs with as settings: the file, the command line, the defaults.
Settings resolved(const GridRow& row, const Vocabulary& vocabulary);

}  // namespace grid
