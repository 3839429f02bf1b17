// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "tessera/comm/communicator.hpp"

/// For the programs of tests/mpi, whose main (mpi_main.cpp) starts MPI and runs the same test cases
/// on every rank.
namespace test {

/// All ranks of the program.
tessera::CommunicatorPtr world();

/// LibTorch's threads as the MpiSession left them; tests on several ranks run on one.
int threads_at_start();

}  // namespace test
