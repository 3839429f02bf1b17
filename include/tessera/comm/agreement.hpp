#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

#include "tessera/comm/communicator.hpp"

/// A failure on one rank becomes the same failure on all ranks: compute locally, agree, then
/// communicate.
///
/// Every data collective of the library is preceded by agree() on the control communicator, and all
/// agree() messages have one size. So a rank that fails anywhere calls agree() once, with its
/// failure, and meets the other ranks at their next one: nobody waits for a message that never
/// comes. The communication that follows goes through committed().
namespace tessera {

/// How many numbers agree() can reduce beside the flag.
inline constexpr std::size_t agreement_capacity = 16;

/// Collective. Every rank says whether it failed (`failure` holds what it caught, or is null). If
/// none did, reduces `maxima` (at most agreement_capacity numbers, as many on every rank)
/// elementwise to their maximum over ranks, in the same message, and returns. If some did, every
/// rank throws error::RankFailure with the lowest failed rank, its `where` and its message; a
/// failed rank's own exception is nested in what it throws. Ranks that meet without failure at
/// different `where`s throw error::Communication: they are out of step.
///
/// A failure that is a RankFailure of as many ranks already has been agreed upon: it is rethrown
/// without communication. So is an error::Communication: a rank whose transport failed can no
/// longer agree, and run_guarded() (comm/program.hpp) ends the job. On a single rank the failure
/// itself is rethrown. Costs one small reduction, and one broadcast of the message after a failure.
///
/// The message reads `where: message (rank 1 of 4)`; a very long one loses its middle.
void agree(Communicator& communicator, std::string_view where, const std::exception_ptr& failure,
           std::span<std::int64_t> maxima = {});

/// Collective. True on every rank if `says` is true on any of them: for decisions taken from
/// numbers that each rank computed for itself, and that differ in the last bit where processors or
/// numbers of threads do. One agree().
bool any_rank(Communicator& communicator, std::string_view where, bool says);

/// Collective. Runs `step` on this rank, then agrees; returns what `step` returned. `step` may
/// communicate through functions that agree first, as all of tessera's do.
template <typename Step>
auto guarded(Communicator& communicator, std::string_view where, Step&& step)
    -> std::invoke_result_t<Step> {
  using Result = std::invoke_result_t<Step>;
  std::exception_ptr failure;
  if constexpr (std::is_void_v<Result>) {
    try {
      std::forward<Step>(step)();
    } catch (...) {
      failure = std::current_exception();
    }
    agree(communicator, where, failure);
  } else {
    std::optional<Result> result;
    try {
      result.emplace(std::forward<Step>(step)());
    } catch (...) {
      failure = std::current_exception();
    }
    agree(communicator, where, failure);
    return std::move(*result);
  }
}

/// Local. Throws `failure`, caught between an agreement and the end of the communication that it
/// opened, as error::Communication: it comes too late to agree upon, because the other ranks wait
/// in that communication already.
[[noreturn]] void throw_too_late(const Communicator& communicator, std::string_view where,
                                 const std::exception_ptr& failure);

/// Collective. Runs `step`, the communication that an agreement opened; returns what it returned.
/// What can still fail there on one rank alone, such as memory for the result, becomes
/// error::Communication, with which run_guarded() (comm/program.hpp) ends the job: nobody is left
/// waiting. On a single rank a failure stays what it is.
template <typename Step>
auto committed(const Communicator& communicator, std::string_view where, Step&& step)
    -> std::invoke_result_t<Step> {
  try {
    return std::forward<Step>(step)();
  } catch (...) {
    throw_too_late(communicator, where, std::current_exception());
  }
}

}  // namespace tessera
