// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <exception>
#include <functional>
#include <string_view>

#include "tessera/comm/agreement.hpp"
#include "tessera/comm/communicator.hpp"
#include "tessera/comm/detail/failure_message.hpp"
#include "tessera/core/error.hpp"

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

namespace detail {

inline constexpr int failure_code = 1;

inline int agreed_code(Communicator& communicator, std::string_view program,
                       const std::function<int()>& body) {
  std::int64_t code = failure_code;
  guarded(communicator, program, [&] { code = body(); }, {&code, 1});
  return static_cast<int>(code);
}

}  // namespace detail

inline int run_guarded(Communicator& communicator, std::string_view program,
                       const std::function<int()>& body) noexcept {
  try {
    return detail::agreed_code(communicator, program, body);
  } catch (const error::RankFailure& failure) {
    if (failure.rank() == communicator.rank()) print_failure(program, failure.what());
  } catch (const error::Communication& failure) {
    print_failure(program, failure.what());
    if (communicator.size() > 1) communicator.abort(detail::failure_code);
  } catch (...) {
    print_failure(program, failure_message(std::current_exception()));
  }
  return detail::failure_code;
}

}  // namespace tessera
