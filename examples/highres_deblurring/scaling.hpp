// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>

#include "options.hpp"

/// Local. Measures what an iteration costs on this machine, in less than a minute, and returns the
/// prediction for options.ranks as text. Needs no MPI. Fills in what the options left open.
std::string plan_run(Options& options);
