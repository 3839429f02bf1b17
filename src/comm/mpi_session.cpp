// SPDX-License-Identifier: BSD-3-Clause
#include <array>
#include <exception>
#include <string>

#include "mpi_check.hpp"
#include "tessera/comm/detail/failure_message.hpp"
#include "tessera/comm/host.hpp"
#include "tessera/comm/mpi.hpp"
#include "tessera/comm/mpi_interop.hpp"
#include "tessera/comm/run_guarded.hpp"

namespace tessera {

std::string mpi_library() {
  std::array<char, MPI_MAX_LIBRARY_VERSION_STRING> text{};
  int length = 0;
  mpi_check(MPI_Get_library_version(text.data(), &length), "library version");
  const std::string all(text.data(), static_cast<std::size_t>(length));
  std::string line;  // the first, its white space narrowed
  for (const char c : all.substr(0, all.find('\n'))) {
    const bool is_blank = c == ' ' || c == '\t';
    if (!is_blank || !line.ends_with(' ')) line += is_blank ? ' ' : c;
  }
  return line;
}

MpiSession::MpiSession(int& argc, char**& argv, const MpiSessionOptions& options)
    : exceptions_(std::uncaught_exceptions()) {
  if (mpi_is_finalised()) {
    throw error::Communication(
        "MpiSession: MPI has been finalised and cannot start again in this process");
  }
  if (mpi_is_initialised()) return;
  int provided = MPI_THREAD_SINGLE;
  mpi_check(MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided), "init");
  owns_ = true;
  // MPI raises what it finds while waiting for a message here, not on the message's communicator.
  MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
  MPI_Comm_set_errhandler(MPI_COMM_SELF, MPI_ERRORS_RETURN);
  share_cores(*mpi_communicator(MPI_COMM_WORLD), options.threads);
}

MpiSession::~MpiSession() {
  const bool unwinding = std::uncaught_exceptions() > exceptions_;
  if (owns_ && !unwinding && !mpi_is_finalised()) MPI_Finalize();
}

int run_with_mpi(int argc, char** argv, std::string_view program,
                 const std::function<int(const CommunicatorPtr&)>& body,
                 const MpiSessionOptions& options) noexcept {
  try {
    const MpiSession session(argc, argv, options);
    const CommunicatorPtr world = mpi_communicator();
    return run_guarded(*world, program, [&] { return body(world); });
  } catch (...) {
    print_failure(program, failure_message(std::current_exception()));
  }
  return 1;
}

}  // namespace tessera
