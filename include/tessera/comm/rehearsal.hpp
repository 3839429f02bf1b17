// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <span>
#include <string>

#include "tessera/comm/self.hpp"
#include "tessera/core/error.hpp"
#include "tessera/core/text.hpp"

namespace tessera {

/// What one rank of a collective program does, counted.
struct RankTraffic {
  std::int64_t reductions = 0;  ///< all_reduce and broadcast: flags, sums, in the main few numbers
  std::int64_t exchanges = 0;   ///< exchange, all_gather and reduce_scatter
  std::int64_t messages = 0;    ///< of other ranks to this one, in all of these exchanges
  double received_bytes = 0;    ///< in these messages
};

/// One rank of many, the others of which are not there: for counting what a collective program
/// communicates before it is run on so many ranks. Nothing is sent, what others would have sent is
/// zero, and what they would have said in a reduction is what this rank says: results are of no
/// use, failures are those of this rank. Everything returns at once.
class Rehearsal final : public Communicator {
 public:
  /// Throws error::InvalidArgument unless 0 <= rank < size.
  Rehearsal(int rank, int size) : rank_(rank), size_(size) {
    if (rank >= 0 && rank < size) return;
    throw error::InvalidArgument(formatted(
        "Rehearsal: rank {} of {}, expected one from 0 to the number less one", rank, size));
  }

  int rank() const override { return rank_; }
  int size() const override { return size_; }
  std::string name() const override { return "rehearsal"; }
  [[noreturn]] void abort(int code) override { std::_Exit(code); }

  /// Since construction or reset().
  const RankTraffic& traffic() const { return traffic_; }
  void reset() { traffic_ = {}; }

 private:
  void do_all_reduce(void* /*data*/, std::int64_t /*count*/, DataType /*type*/,
                     Reduction /*reduction*/) override {
    ++traffic_.reductions;
  }
  void do_broadcast(void* /*data*/, std::int64_t /*count*/, DataType /*type*/,
                    int /*root*/) override {
    ++traffic_.reductions;
  }
  inline void do_all_gather(const void* mine, void* all, std::span<const std::int64_t> counts,
                            DataType type) override;
  inline void do_reduce_scatter(const void* all, void* mine, std::span<const std::int64_t> counts,
                                DataType type, Reduction reduction) override;
  inline void do_exchange(std::span<const Message> sends, std::span<const Message> receives,
                          DataType type) override;
  void do_barrier() override { ++traffic_.reductions; }
  CommunicatorPtr do_split(int /*color*/, int /*key*/) override {
    return std::make_shared<Rehearsal>(rank_, size_);
  }

  /// A message of another rank that fills `data` with zeros.
  void receive(void* data, std::int64_t count, DataType type) {
    const std::size_t bytes = static_cast<std::size_t>(count) * size_of(type);
    if (bytes == 0) return;
    std::memset(data, 0, bytes);
    ++traffic_.messages;
    traffic_.received_bytes += static_cast<double>(bytes);
  }

  int rank_;
  int size_;
  RankTraffic traffic_;
};

inline void Rehearsal::do_all_gather(const void* mine, void* all,
                                     std::span<const std::int64_t> counts, DataType type) {
  ++traffic_.exchanges;
  auto* next = static_cast<char*>(all);
  for (std::size_t rank = 0; rank < counts.size(); ++rank) {
    if (static_cast<int>(rank) == rank_) {
      detail::copy(mine, next, counts[rank], type);
    } else {
      receive(next, counts[rank], type);
    }
    next += static_cast<std::size_t>(counts[rank]) * size_of(type);
  }
}

inline void Rehearsal::do_reduce_scatter(const void* all, void* mine,
                                         std::span<const std::int64_t> counts, DataType type,
                                         Reduction /*reduction*/) {
  ++traffic_.exchanges;
  const auto* next = static_cast<const char*>(all);
  for (int rank = 0; rank < rank_; ++rank) {
    next += static_cast<std::size_t>(counts[static_cast<std::size_t>(rank)]) * size_of(type);
  }
  const std::int64_t count = counts[static_cast<std::size_t>(rank_)];
  for (int other = 1; other < size_; ++other) receive(mine, count, type);
  detail::copy(next, mine, count, type);
}

inline void Rehearsal::do_exchange(std::span<const Message> sends,
                                   std::span<const Message> receives, DataType type) {
  ++traffic_.exchanges;
  auto own = sends.begin();
  for (const Message& message : receives) {
    if (message.peer != rank_) {
      receive(message.data, message.count, type);
      continue;
    }
    while (own->peer != rank_) ++own;
    detail::copy(own->data, message.data, message.count, type);
    ++own;
  }
}

}  // namespace tessera
