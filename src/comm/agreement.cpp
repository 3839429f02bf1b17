#include "tessera/comm/agreement.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <string>
#include <vector>

#include "failure_message.hpp"
#include "fnv_hash.hpp"
#include "message.hpp"
#include "tessera/core/error.hpp"

namespace tessera {
namespace {

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
constexpr std::int64_t packet_count = sizeof(Packet) / sizeof(std::int64_t);

constexpr std::int64_t text_bytes = 4096;
constexpr std::int64_t place_bytes = 128;

/// A hash of `where` and of how many maxima come along, in [0, 2^62).
std::int64_t hash_of(std::string_view where, std::size_t maxima) {
  detail::FnvHash hash;
  hash.add(where);
  hash.add(256 + maxima);
  return hash.value();
}

/// "where: message (rank 1 of 4)", without saying twice what the message says itself.
std::string sentence(std::string_view where, std::string message, const std::string& suffix) {
  if (!message.starts_with(where)) message = fmt::format("{}: {}", where, message);
  if (!message.ends_with(suffix)) message += suffix;
  return message;
}

/// Fits text into `bytes` characters, filled up with zeros; the middle goes first.
std::string fit(std::string text, std::size_t bytes) {
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

std::string without_zeros(std::string text) {
  text.resize(std::min(text.find('\0'), text.size()));
  return text;
}

[[noreturn]] void out_of_step(Communicator& control, std::string_view where) {
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
    places += fmt::format("{}rank {} in '{}'", rank == 0 ? "" : ", ", rank, place);
    previous = place;
  }
  throw error::Communication(
      fmt::format("agree: the ranks are out of step: {}{}", places, rank_suffix(control)));
}

[[noreturn]] void throw_as_rank_failure(Communicator& control, std::string_view where,
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
bool is_final(const std::exception_ptr& failure, const Communicator& communicator) {
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

}  // namespace

void agree(Communicator& communicator, std::string_view where, const std::exception_ptr& failure,
           std::span<std::int64_t> maxima) {
  if (maxima.size() > agreement_capacity) {
    throw error::InvalidArgument(fmt::format("agree: {} maxima in '{}', expected at most {}",
                                             maxima.size(), where, agreement_capacity));
  }
  if (failure && (communicator.size() == 1 || is_final(failure, communicator))) {
    std::rethrow_exception(failure);
  }
  if (communicator.size() == 1) return;

  Communicator& control = communicator.control();
  Packet packet;
  packet.maxima.fill(Packet::nothing);
  if (failure) {
    packet.failed = control.size() - control.rank();
  } else {
    packet.place = hash_of(where, maxima.size());
    packet.minus_place = -packet.place;
    std::copy(maxima.begin(), maxima.end(), packet.maxima.begin());
  }
  control.all_reduce(&packet, packet_count, DataType::i64, Reduction::max);

  if (packet.failed > 0) {
    throw_as_rank_failure(control, where, failure,
                          control.size() - static_cast<int>(packet.failed));
  }
  if (packet.place != -packet.minus_place) out_of_step(control, where);
  std::copy_n(packet.maxima.begin(), maxima.size(), maxima.begin());
}

bool any_rank(Communicator& communicator, std::string_view where, bool says) {
  std::int64_t answer = says ? 1 : 0;
  agree(communicator, where, nullptr, {&answer, 1});
  return answer == 1;
}

void throw_too_late(const Communicator& communicator, std::string_view where,
                    const std::exception_ptr& failure) {
  if (communicator.size() == 1 || is_final(failure, communicator)) std::rethrow_exception(failure);
  throw error::Communication(sentence(where, failure_message(failure), rank_suffix(communicator)));
}

}  // namespace tessera
