// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "tessera/comm/communicator.hpp"
#include "tessera/comm/detail/failure_message.hpp"
#include "tessera/comm/detail/fnv_hash.hpp"
#include "tessera/comm/detail/message.hpp"
#include "tessera/core/error.hpp"
#include "tessera/core/text.hpp"

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
/// longer agree, and run_guarded() (comm/run_guarded.hpp) ends the job. On a single rank the
/// failure itself is rethrown. Costs one small reduction, and one broadcast of the message after a
/// failure.
///
/// The message reads `where: message (rank 1 of 4)`; a very long one loses its middle.
void agree(Communicator& communicator, std::string_view where, const std::exception_ptr& failure,
           std::span<std::int64_t> maxima = {});

/// Collective. True on every rank if `says` is true on any of them: for decisions taken from
/// numbers that each rank computed for itself, and that differ in the last bit where processors or
/// numbers of threads do. One agree().
bool any_rank(Communicator& communicator, std::string_view where, bool says);

/// Collective. Runs `step` on this rank, then agrees; returns what `step` returned. `step` may
/// communicate through functions that agree first, as all of tessera's do. It may fill `maxima`,
/// which come back as their maxima over ranks: the same agreement reduces them (see agree()).
template <typename Step>
auto guarded(Communicator& communicator, std::string_view where, Step&& step,
             std::span<std::int64_t> maxima = {}) -> std::invoke_result_t<Step>;

/// Collective, without communication of its own unless `step` fails. For a step right before an
/// agreement that comes anyway, same_on_all_ranks() or that of a collective function: a rank where
/// `step` throws meets the others there, and all throw. Returns what `step` returned.
template <typename Step>
auto fail_together(Communicator& communicator, std::string_view where, Step&& step)
    -> std::invoke_result_t<Step>;

/// Local. Throws `failure`, caught between an agreement and the end of the communication that it
/// opened, as error::Communication: it comes too late to agree upon, because the other ranks wait
/// in that communication already.
[[noreturn]] void throw_too_late(const Communicator& communicator, std::string_view where,
                                 const std::exception_ptr& failure);

/// Collective. Runs `step`, the communication that an agreement opened; returns what it returned.
/// What can still fail there on one rank alone, such as memory for the result, becomes
/// error::Communication, with which run_guarded() (comm/run_guarded.hpp) ends the job: nobody is
/// left waiting. On a single rank a failure stays what it is.
template <typename Step>
auto committed(const Communicator& communicator, std::string_view where, Step&& step)
    -> std::invoke_result_t<Step> {
  try {
    return std::forward<Step>(step)();
  } catch (...) {
    throw_too_late(communicator, where, std::current_exception());
  }
}

namespace detail {

/// What agree() reduces to its maximum over ranks: one message of one size, wherever a rank is.
struct Packet {
  static constexpr std::int64_t nothing = std::numeric_limits<std::int64_t>::min();

  /// size - rank of a failed rank, 0 of one that did not fail: the maximum tells the lowest failed
  /// rank.
  std::int64_t failed = 0;
  /// h and -h of the place where a rank stands: the maxima are opposite if all stand at the same
  /// place. A failed rank has left its place and says nothing.
  std::int64_t place = nothing;
  std::int64_t minus_place = nothing;
  std::array<std::int64_t, agreement_capacity> maxima;
};
inline constexpr std::int64_t packet_count = sizeof(Packet) / sizeof(std::int64_t);

inline constexpr std::int64_t text_bytes = 4096;
inline constexpr std::int64_t place_bytes = 128;

/// A hash of `where` and of how many maxima come along, in [0, 2^62).
inline std::int64_t hash_of(std::string_view where, std::size_t maxima) {
  FnvHash hash;
  hash.add(where);
  hash.add(256 + maxima);
  return hash.value();
}

/// "where: message (rank 1 of 4)", without saying twice what the message says itself.
inline std::string sentence(std::string_view where, std::string message,
                            const std::string& suffix) {
  if (!message.starts_with(where)) message = formatted("{}: {}", where, message);
  if (!message.ends_with(suffix)) message += suffix;
  return message;
}

/// Fits text into `bytes` characters, filled up with zeros; the middle goes first.
inline std::string fit(std::string text, std::size_t bytes) {
  if (text.size() > bytes) {
    const auto splits_a_letter = [&text](std::size_t at) {
      return (text[at] & 0xC0) == 0x80;
    };  // UTF-8
    std::size_t head = bytes / 2 - 4;
    std::size_t tail = text.size() - head;
    while (head > 0 && splits_a_letter(head)) --head;
    while (tail < text.size() && splits_a_letter(tail)) ++tail;
    text = text.substr(0, head) + " [...] " + text.substr(tail);
  }
  text.resize(bytes, '\0');
  return text;
}

inline std::string without_zeros(std::string text) {
  text.resize(std::min(text.find('\0'), text.size()));
  return text;
}

[[noreturn]] inline void out_of_step(Communicator& control, std::string_view where) {
  const std::string mine = fit(std::string(where), place_bytes);
  std::string all(static_cast<std::size_t>(control.size()) * place_bytes, '\0');
  const std::vector<std::int64_t> counts(static_cast<std::size_t>(control.size()), place_bytes);
  control.all_gather(mine.data(), all.data(), counts, DataType::u8);
  std::string places;
  std::string previous;
  for (int rank = 0; rank < control.size(); ++rank) {
    const std::string place =
        without_zeros(all.substr(static_cast<std::size_t>(rank) * place_bytes, place_bytes));
    if (rank > 0 && place == previous) continue;
    places += formatted("{}rank {} in '{}'", rank == 0 ? "" : ", ", rank, place);
    previous = place;
  }
  throw error::Communication(
      formatted("agree: the ranks are out of step: {}{}", places, rank_suffix(control)));
}

[[noreturn]] inline void throw_as_rank_failure(Communicator& control, std::string_view where,
                                               const std::exception_ptr& failure, int failed_rank) {
  std::string text;
  if (control.rank() == failed_rank)
    text = sentence(where, failure_message(failure), rank_suffix(control));
  text = fit(std::move(text), text_bytes);
  control.broadcast(text.data(), text_bytes, DataType::u8, failed_rank);
  const error::RankFailure agreed(failed_rank, control.size(), without_zeros(std::move(text)));
  if (!failure) throw agreed;
  try {
    std::rethrow_exception(failure);
  } catch (...) {
    std::throw_with_nested(agreed);
  }
}

/// Whether a failure must be passed on as it is: agreed upon in this group already, or of the
/// transport itself.
inline bool is_final(const std::exception_ptr& failure, const Communicator& communicator) {
  try {
    std::rethrow_exception(failure);
  } catch (const error::RankFailure& agreed) {
    return agreed.size() == communicator.size();
  } catch (const error::Communication&) {
    return true;
  } catch (...) {
    return false;
  }
}

}  // namespace detail

template <typename Step>
auto fail_together(Communicator& communicator, std::string_view where, Step&& step)
    -> std::invoke_result_t<Step> {
  try {
    return std::forward<Step>(step)();
  } catch (...) {
    agree(communicator, where, std::current_exception());
    throw;  // not reached: agree() throws
  }
}

template <typename Step>
auto guarded(Communicator& communicator, std::string_view where, Step&& step,
             std::span<std::int64_t> maxima) -> std::invoke_result_t<Step> {
  if constexpr (std::is_void_v<std::invoke_result_t<Step>>) {
    fail_together(communicator, where, std::forward<Step>(step));
    agree(communicator, where, nullptr, maxima);
  } else {
    std::invoke_result_t<Step> result =
        fail_together(communicator, where, std::forward<Step>(step));
    agree(communicator, where, nullptr, maxima);
    return result;
  }
}

inline void agree(Communicator& communicator, std::string_view where,
                  const std::exception_ptr& failure, std::span<std::int64_t> maxima) {
  if (maxima.size() > agreement_capacity) {
    throw error::InvalidArgument(formatted("agree: {} maxima in '{}', expected at most {}",
                                           maxima.size(), where, agreement_capacity));
  }
  if (failure && (communicator.size() == 1 || detail::is_final(failure, communicator))) {
    std::rethrow_exception(failure);
  }
  if (communicator.size() == 1) return;

  Communicator& control = communicator.control();
  detail::Packet packet;
  packet.maxima.fill(detail::Packet::nothing);
  if (failure) {
    packet.failed = control.size() - control.rank();
  } else {
    packet.place = detail::hash_of(where, maxima.size());
    packet.minus_place = -packet.place;
    std::copy(maxima.begin(), maxima.end(), packet.maxima.begin());
  }
  control.all_reduce(&packet, detail::packet_count, DataType::i64, Reduction::max);

  if (packet.failed > 0) {
    detail::throw_as_rank_failure(control, where, failure,
                                  control.size() - static_cast<int>(packet.failed));
  }
  if (packet.place != -packet.minus_place) detail::out_of_step(control, where);
  std::copy_n(packet.maxima.begin(), maxima.size(), maxima.begin());
}

inline bool any_rank(Communicator& communicator, std::string_view where, bool says) {
  std::int64_t answer = says ? 1 : 0;
  agree(communicator, where, nullptr, {&answer, 1});
  return answer == 1;
}

inline void throw_too_late(const Communicator& communicator, std::string_view where,
                           const std::exception_ptr& failure) {
  if (communicator.size() == 1 || detail::is_final(failure, communicator))
    std::rethrow_exception(failure);
  throw error::Communication(
      detail::sentence(where, failure_message(failure), rank_suffix(communicator)));
}

}  // namespace tessera
