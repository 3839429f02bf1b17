// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "tessera/comm/communicator.hpp"

/// Ranks as MPI processes, in host memory. mpi.h is not needed here; comm/mpi_interop.hpp takes an
/// MPI_Comm.
namespace tessera {

struct MpiOptions {
  /// Most elements in one MPI message; larger counts are sent in several. The same on all ranks.
  /// MPI itself ends at 2^31 - 1; tests lower it.
  std::int64_t largest_count = std::int64_t{1} << 30;
};

/// The ranks that the MPI launcher started (MPI_COMM_WORLD, duplicated), in host memory.
///
/// Collective. MPI must be initialised: by the program itself, or by an MpiSession that outlives
/// the communicator. Throws error::Communication if it is not, or if the launcher's environment
/// says that n > 1 tasks were started while MPI sees only one (a program linked against another MPI
/// than its launcher).
///
/// MPI errors become error::Communication with MPI's text; those that MPI finds while it waits for
/// a message of an exchange() follow the error handlers of MPI_COMM_WORLD and MPI_COMM_SELF, which
/// an MpiSession sets to MPI_ERRORS_RETURN and which a program that initialises MPI itself may
/// leave to end the job. all_reduce of floating-point numbers gives NaN wherever a rank gives NaN,
/// for min and max too. The destructor calls MPI_Comm_free, which MPICH and Open MPI do without
/// communication; it leaves the duplicate alone when MPI is finalised already or an exception is
/// under way, because other ranks may then be elsewhere.
CommunicatorPtr mpi_communicator(const MpiOptions& options = {});

/// The MPI library that this process runs with, as it names itself, in one line: "MPICH Version:
/// 4.0.2". Local; MPI need not be initialised, and may be finalised.
std::string mpi_library();

struct MpiSessionOptions {
  /// LibTorch's threads on this rank; 0: see threads_for_this_rank() (comm/host.hpp), which shares
  /// the cores of a host among its ranks unless OMP_NUM_THREADS says otherwise.
  int threads = 0;
};

/// Initialises MPI for a program that has not done so, and finalises it on destruction if it
/// initialised it. A program that calls MPI_Init itself needs none of this; it calls share_cores()
/// (comm/host.hpp) to have LibTorch's threads set.
///
/// The destructor does not finalise while an exception is under way: MPI_Finalize waits for all
/// ranks, and this one is about to fail alone. The launcher then ends the job.
class MpiSession {
 public:
  /// Collective where MPI is not initialised yet; sets LibTorch's number of threads then. Throws
  /// error::Communication if MPI has been finalised already: it cannot start twice.
  MpiSession(int& argc, char**& argv, const MpiSessionOptions& options = {});
  ~MpiSession();
  MpiSession(const MpiSession&) = delete;
  MpiSession& operator=(const MpiSession&) = delete;

 private:
  bool owns_ = false;
  int exceptions_ = 0;
};

/// Collective. All of a program over MPI: an MpiSession, the ranks of mpi_communicator(), and
/// `body` on them by run_guarded() (comm/run_guarded.hpp). Returns the exit code of the program;
/// what goes wrong before there are ranks is printed too, `program: message`, and gives 1. Throws
/// nothing.
///
///   int main(int argc, char** argv) {
///     return tessera::run_with_mpi(argc, argv, "my_program",
///                                  [&](const auto& ranks) { return run(argc, argv, ranks); });
///   }
int run_with_mpi(int argc, char** argv, std::string_view program,
                 const std::function<int(const CommunicatorPtr&)>& body,
                 const MpiSessionOptions& options = {}) noexcept;

}  // namespace tessera
