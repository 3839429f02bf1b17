#pragma once

#include <array>
#include <functional>

#include "tessera/comm/communicator.hpp"

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
/// of collectives, and for reports of balance. Data and control traffic (flags, shapes: whatever
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

  void do_all_reduce(void* data, std::int64_t count, DataType type, Reduction reduction) override;
  void do_broadcast(void* data, std::int64_t count, DataType type, int root) override;
  void do_all_gather(const void* mine, void* all, std::span<const std::int64_t> counts,
                     DataType type) override;
  void do_reduce_scatter(const void* all, void* mine, std::span<const std::int64_t> counts,
                         DataType type, Reduction reduction) override;
  void do_exchange(std::span<const Message> sends, std::span<const Message> receives,
                   DataType type) override;
  void do_barrier() override;
  CommunicatorPtr do_split(int color, int key) override;

  CommunicatorPtr inner_;
  std::function<void()> settle_;
  std::unique_ptr<CountingCommunicator> control_;  // null in a control communicator itself
  std::array<Traffic, 7> traffic_{};
};

}  // namespace tessera
