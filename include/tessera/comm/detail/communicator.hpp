// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <vector>

#include "tessera/comm/communicator.hpp"
#include "tessera/comm/detail/message.hpp"
#include "tessera/core/error.hpp"
#include "tessera/core/text.hpp"

namespace tessera {
namespace detail {

/// Says who complains: "mpi.all_reduce".
class Check {
 public:
  Check(const Communicator& communicator, const char* operation)
      : communicator_(communicator), operation_(operation) {}

  [[noreturn]] void fail(const std::string& text) const {
    throw error::InvalidArgument(formatted("{}.{}: {}{}", communicator_.name(), operation_, text,
                                           rank_suffix(communicator_)));
  }

  void count(std::int64_t count) const {
    if (count < 0) fail(formatted("count is {}, expected at least 0", count));
  }

  void buffer(const void* data, std::int64_t count, const char* what) const {
    if (count > 0 && data == nullptr) {
      fail(formatted("{} is null, expected {} elements", what, count));
    }
  }

  void rank(int rank, const char* what) const {
    if (rank < 0 || rank >= communicator_.size()) {
      fail(formatted("{} is {}, expected a rank in [0, {})", what, rank, communicator_.size()));
    }
  }

  void reduction(DataType type, Reduction reduction) const {
    const bool complex = type == DataType::c64 || type == DataType::c128;
    if (complex && reduction != Reduction::sum) {
      fail("complex numbers have no minimum and no maximum, expected Reduction::sum");
    }
  }

  /// Returns the sum of `counts`, one per rank.
  std::int64_t counts(std::span<const std::int64_t> counts) const {
    if (counts.size() != static_cast<std::size_t>(communicator_.size())) {
      fail(formatted("{} counts, expected one for each of {} ranks", counts.size(),
                     communicator_.size()));
    }
    std::int64_t total = 0;
    for (const std::int64_t each : counts) {
      count(each);
      total += each;
    }
    return total;
  }

  void messages(std::span<const Message> messages, const char* what) const {
    for (const Message& message : messages) {
      rank(message.peer, what);
      count(message.count);
      buffer(message.data, message.count, what);
    }
  }

  /// Messages to oneself must find their receives: their match can be checked before anything is
  /// sent.
  void to_oneself(std::span<const Message> sends, std::span<const Message> receives) const {
    const auto own = [this](std::span<const Message> messages) {
      std::vector<std::int64_t> counts;
      for (const Message& message : messages) {
        if (message.peer == communicator_.rank()) counts.push_back(message.count);
      }
      return counts;
    };
    const std::vector<std::int64_t> sent = own(sends);
    const std::vector<std::int64_t> received = own(receives);
    if (sent != received) {
      fail(formatted("sends to itself of [{}] elements, but receives from itself of [{}]",
                     joined(sent, ", "), joined(received, ", ")));
    }
  }

 private:
  const Communicator& communicator_;
  const char* operation_;
};

}  // namespace detail

inline std::size_t size_of(DataType type) {
  switch (type) {
    case DataType::u8:
      return 1;
    case DataType::i32:
    case DataType::f32:
      return 4;
    case DataType::i64:
    case DataType::f64:
    case DataType::c64:
      return 8;
    case DataType::c128:
      return 16;
  }
  throw error::InvalidArgument("size_of: unknown DataType");
}

inline void Communicator::all_reduce(void* data, std::int64_t count, DataType type,
                                     Reduction reduction) {
  const detail::Check check(*this, "all_reduce");
  check.count(count);
  check.buffer(data, count, "data");
  check.reduction(type, reduction);
  if (count > 0) do_all_reduce(data, count, type, reduction);
}

inline void Communicator::broadcast(void* data, std::int64_t count, DataType type, int root) {
  const detail::Check check(*this, "broadcast");
  check.count(count);
  check.buffer(data, count, "data");
  check.rank(root, "root");
  if (count > 0) do_broadcast(data, count, type, root);
}

inline void Communicator::all_gather(const void* mine, void* all,
                                     std::span<const std::int64_t> counts, DataType type) {
  const detail::Check check(*this, "all_gather");
  const std::int64_t total = check.counts(counts);
  check.buffer(mine, counts[static_cast<std::size_t>(rank())], "mine");
  check.buffer(all, total, "all");
  if (total > 0) do_all_gather(mine, all, counts, type);
}

inline void Communicator::reduce_scatter(const void* all, void* mine,
                                         std::span<const std::int64_t> counts, DataType type,
                                         Reduction reduction) {
  const detail::Check check(*this, "reduce_scatter");
  const std::int64_t total = check.counts(counts);
  check.buffer(all, total, "all");
  check.buffer(mine, counts[static_cast<std::size_t>(rank())], "mine");
  check.reduction(type, reduction);
  if (total > 0) do_reduce_scatter(all, mine, counts, type, reduction);
}

inline void Communicator::exchange(std::span<const Message> sends,
                                   std::span<const Message> receives, DataType type) {
  const detail::Check check(*this, "exchange");
  check.messages(sends, "peer of a send");
  check.messages(receives, "peer of a receive");
  check.to_oneself(sends, receives);
  do_exchange(sends, receives, type);
}

inline void Communicator::barrier() {
  do_barrier();
}

inline CommunicatorPtr Communicator::split(int color, int key) {
  const detail::Check check(*this, "split");
  if (color < 0) check.fail(formatted("color is {}, expected at least 0", color));
  return do_split(color, key);
}

}  // namespace tessera
