// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <functional>
#include <string>

#include "tessera/comm/communicator.hpp"
#include "tessera/comm/run_guarded.hpp"
#include "tessera/comm/self.hpp"
#ifdef TESSERA_RESTORATION_MPI
#include "tessera/comm/mpi.hpp"
#endif

namespace restoration {

/// Collective. Runs the body of a program on the ranks of MPI, or on one where this was built
/// without MPI, and returns its exit code (tessera::run_guarded).
inline int run_on_ranks(int argc, char** argv, const std::string& program,
                        const std::function<int(const tessera::CommunicatorPtr&)>& body) {
#ifdef TESSERA_RESTORATION_MPI
  return tessera::run_with_mpi(argc, argv, program, body);
#else
  static_cast<void>(argc);
  static_cast<void>(argv);
  const tessera::CommunicatorPtr world = tessera::self_communicator();
  return tessera::run_guarded(*world, program, [&] { return body(world); });
#endif
}

}  // namespace restoration
