#pragma once

#include "tessera/comm/communicator.hpp"

namespace tessera {

/// The ranks that the MPI launcher started (MPI_COMM_WORLD, duplicated), in host memory.
///
/// Collective. MPI must be initialised: by the program itself, or by an MpiSession that outlives the
/// communicator. Throws error::Communication if it is not, or if the launcher's environment says that
/// n > 1 tasks were started while MPI sees only one (a program linked against another MPI than its launcher).
CommunicatorPtr mpi_communicator();

/// Initialises MPI for a program that has not done so, and finalises it on destruction if it initialised it.
/// A program that calls MPI_Init itself needs none of this.
class MpiSession {
 public:
  MpiSession(int& argc, char**& argv);
  ~MpiSession();
  MpiSession(const MpiSession&) = delete;
  MpiSession& operator=(const MpiSession&) = delete;

 private:
  bool owns_ = false;
};

}  // namespace tessera
