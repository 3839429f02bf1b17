#pragma once

#include "options.hpp"

/// Runs, submits or describes the grid of options.grid.config, one row after the other, each in its
/// folder below options.out. Rows that are finished already are left alone; a row that fails does
/// not keep the others from running. Returns the exit code: 0 if no row failed and at least one has
/// a result or was submitted. Prints what is wrong and returns 1 if the grid itself is.
/// Not collective: for one process that no MPI launcher started.
int run_grid(const Options& options);
