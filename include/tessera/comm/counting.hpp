// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <chrono>
#include <functional>
#include <numeric>

#include "tessera/comm/communicator.hpp"
#include "tessera/core/error.hpp"

namespace tessera {

/// The operations that a CountingCommunicator tells apart.
enum class Collective {
  all_reduce,
  broadcast,
  all_gather,
  reduce_scatter,
  exchange,
  barrier,
  split
};

/// What one rank has spent on communication.
struct Traffic {
  std::int64_t calls = 0;
  /// Bytes that this rank handed over for others: its buffer in an all_reduce or a reduce_scatter,
  /// its share in an all_gather, the buffer of the root in a broadcast, messages to other ranks in
  /// an exchange. What a transport makes of them is its own affair.
  std::int64_t bytes_sent = 0;
  /// Time inside the calls: waiting for others, and moving data. On a device backend, the time to
  /// queue the call, unless the CountingCommunicator was given a `settle`.
  double seconds = 0;

  Traffic& operator+=(const Traffic& other);
};

/// Passes everything on to another communicator and keeps accounts: for tests that pin the number
/// of collectives, and for reports of balance. Data and control traffic (flags, shapes: all that
/// goes through control()) are counted apart. Groups made by split() are not counted.
class CountingCommunicator final : public Communicator {
 public:
  /// `settle` is called before and after every operation, outside and inside of its time: given a
  /// function that waits for the device, e.g. [x] { synchronize(x); }, work that is still queued is
  /// not taken for communication, nor communication for work.
  explicit CountingCommunicator(CommunicatorPtr inner, std::function<void()> settle = {});

  int rank() const override { return inner_->rank(); }
  int size() const override { return inner_->size(); }
  std::string name() const override { return inner_->name(); }
  Memory memory() const override { return inner_->memory(); }
  Communicator& control() override { return control_ ? *control_ : *this; }
  [[noreturn]] void abort(int code) override {
    for (;;) inner_->abort(code);  // GCC 12 forgets that the virtual function does not return
  }

  /// Local. Data traffic since construction or reset(), of one kind and of all.
  const Traffic& data(Collective kind) const { return traffic_[static_cast<std::size_t>(kind)]; }
  Traffic data() const;

  /// Local. The same for control traffic.
  const Traffic& flags(Collective kind) const { return control_->data(kind); }
  Traffic flags() const { return control_->data(); }

  /// Local. Back to zero.
  void reset();

 private:
  struct ControlOf {};
  CountingCommunicator(ControlOf, CommunicatorPtr inner, std::function<void()> settle);

  template <typename Call>
  void count(Collective kind, std::int64_t bytes, Call&& call);

  inline void do_all_reduce(void* data, std::int64_t count, DataType type,
                            Reduction reduction) override;
  inline void do_broadcast(void* data, std::int64_t count, DataType type, int root) override;
  inline void do_all_gather(const void* mine, void* all, std::span<const std::int64_t> counts,
                            DataType type) override;
  inline void do_reduce_scatter(const void* all, void* mine, std::span<const std::int64_t> counts,
                                DataType type, Reduction reduction) override;
  inline void do_exchange(std::span<const Message> sends, std::span<const Message> receives,
                          DataType type) override;
  inline void do_barrier() override;
  inline CommunicatorPtr do_split(int color, int key) override;

  CommunicatorPtr inner_;
  std::function<void()> settle_;
  std::unique_ptr<CountingCommunicator> control_;  // null in a control communicator itself
  std::array<Traffic, 7> traffic_{};
};

namespace detail {

inline std::int64_t bytes_of(std::int64_t count, DataType type) {
  return count * static_cast<std::int64_t>(size_of(type));
}

}  // namespace detail

inline Traffic& Traffic::operator+=(const Traffic& other) {
  calls += other.calls;
  bytes_sent += other.bytes_sent;
  seconds += other.seconds;
  return *this;
}

inline CountingCommunicator::CountingCommunicator(ControlOf, CommunicatorPtr inner,
                                                  std::function<void()> settle)
    : inner_(std::move(inner)), settle_(std::move(settle)) {}

inline CountingCommunicator::CountingCommunicator(CommunicatorPtr inner,
                                                  std::function<void()> settle)
    : inner_(std::move(inner)), settle_(std::move(settle)) {
  if (!inner_) throw error::InvalidArgument("CountingCommunicator: given no communicator");
  control_.reset(
      new CountingCommunicator(ControlOf{}, CommunicatorPtr(inner_, &inner_->control()), settle_));
}

inline Traffic CountingCommunicator::data() const {
  Traffic total;
  for (const Traffic& each : traffic_) total += each;
  return total;
}

inline void CountingCommunicator::reset() {
  traffic_.fill(Traffic{});
  if (control_) control_->reset();
}

template <typename Call>
void CountingCommunicator::count(Collective kind, std::int64_t bytes, Call&& call) {
  if (settle_) settle_();
  const auto start = std::chrono::steady_clock::now();
  call();
  if (settle_) settle_();
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
  traffic_[static_cast<std::size_t>(kind)] += Traffic{1, size() > 1 ? bytes : 0, elapsed.count()};
}

inline void CountingCommunicator::do_all_reduce(void* data, std::int64_t elements, DataType type,
                                                Reduction reduction) {
  count(Collective::all_reduce, detail::bytes_of(elements, type),
        [&] { inner_->all_reduce(data, elements, type, reduction); });
}

inline void CountingCommunicator::do_broadcast(void* data, std::int64_t elements, DataType type,
                                               int root) {
  count(Collective::broadcast, root == rank() ? detail::bytes_of(elements, type) : 0,
        [&] { inner_->broadcast(data, elements, type, root); });
}

inline void CountingCommunicator::do_all_gather(const void* mine, void* all,
                                                std::span<const std::int64_t> counts,
                                                DataType type) {
  count(Collective::all_gather, detail::bytes_of(counts[static_cast<std::size_t>(rank())], type),
        [&] { inner_->all_gather(mine, all, counts, type); });
}

inline void CountingCommunicator::do_reduce_scatter(const void* all, void* mine,
                                                    std::span<const std::int64_t> counts,
                                                    DataType type, Reduction reduction) {
  const std::int64_t total = std::accumulate(counts.begin(), counts.end(), std::int64_t{0});
  count(Collective::reduce_scatter, detail::bytes_of(total, type),
        [&] { inner_->reduce_scatter(all, mine, counts, type, reduction); });
}

inline void CountingCommunicator::do_exchange(std::span<const Message> sends,
                                              std::span<const Message> receives, DataType type) {
  std::int64_t elements = 0;
  for (const Message& message : sends) elements += message.peer == rank() ? 0 : message.count;
  count(Collective::exchange, detail::bytes_of(elements, type),
        [&] { inner_->exchange(sends, receives, type); });
}

inline void CountingCommunicator::do_barrier() {
  count(Collective::barrier, 0, [&] { inner_->barrier(); });
}

inline CommunicatorPtr CountingCommunicator::do_split(int color, int key) {
  CommunicatorPtr part;
  count(Collective::split, 0, [&] { part = inner_->split(color, key); });
  return part;
}

}  // namespace tessera
