#pragma once

#include <string>
#include <vector>

#include "config.hpp"
#include "grid_rows.hpp"

/// Threads per rank that the parallel configuration asks for by cpus-per-task; 0: none.
int threads_of(const ParallelConfig& parallel);

/// The batch script of a row: nodes, tasks and GPUs from the row, the rest from the parallel
/// configuration. Throws error::InvalidArgument for a parameter that is the grid's to choose, or
/// one that does not fit in a line.
std::string batch_script(const GridRow& row, const ParallelConfig& parallel,
                         const std::string& program);

/// Hands a script to sbatch and returns the number of the job. Throws error::Io with what sbatch
/// says.
std::string submit(const std::string& script);

/// Whether squeue still knows the job. False without squeue.
bool is_queued(const std::string& job);
