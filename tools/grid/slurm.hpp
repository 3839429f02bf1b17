// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>
#include <vector>

#include "grid/config.hpp"
#include "grid/rows.hpp"

namespace grid {

/// Threads per rank that the parallel configuration asks for by cpus-per-task; 0: none. Throws
/// error::InvalidArgument for what is no count.
int threads_of(const ParallelConfig& parallel);

/// The batch script of a row: nodes, tasks and GPUs from the row, the rest from the parallel
/// configuration. Nothing but slurm_setup and slurm_launcher is shell. Throws
/// error::InvalidArgument for what slurm_values.hpp refuses, and for names with line breaks or
/// other control characters.
std::string batch_script(const GridRow& row, const ParallelConfig& parallel,
                         const std::string& program);

/// Hands a script to sbatch and returns the number of the job. Throws error::Io with what sbatch
/// says.
std::string submit(const std::string& script);

/// Whether squeue still knows the job. False without squeue.
bool is_queued(const std::string& job);

}  // namespace grid
