#pragma once

#include <functional>
#include <string_view>

#include "tessera/comm/communicator.hpp"

namespace tessera {

/// Collective. Runs the main body of a program on every rank and returns the exit code of the
/// program, the same on every rank: the largest that `body` returned, or 1 after an exception on
/// any rank. The failure is printed once, on standard error of the lowest failed rank: `program:
/// message`.
///
/// If the ranks cannot agree any more (error::Communication), the message is printed where that is
/// noticed, and the job is aborted, so that no rank is left waiting. Throws nothing. run_with_mpi()
/// (comm/mpi.hpp) makes the ranks too.
int run_guarded(Communicator& communicator, std::string_view program,
                const std::function<int()>& body) noexcept;

}  // namespace tessera
