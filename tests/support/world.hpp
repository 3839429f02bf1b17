#pragma once

#include "tessera/comm/communicator.hpp"

/// For the programs of tests/mpi, whose main (mpi_main.cpp) starts MPI and runs the same test cases
/// on every rank.
namespace test {

/// All ranks of the program.
tessera::CommunicatorPtr world();

}  // namespace test
