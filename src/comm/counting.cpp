#include "tessera/comm/counting.hpp"

#include <chrono>
#include <numeric>

#include "tessera/core/error.hpp"

namespace tessera {
namespace {

std::int64_t bytes_of(std::int64_t count, DataType type) {
  return count * static_cast<std::int64_t>(size_of(type));
}

}  // namespace

Traffic& Traffic::operator+=(const Traffic& other) {
  calls += other.calls;
  bytes_sent += other.bytes_sent;
  seconds += other.seconds;
  return *this;
}

CountingCommunicator::CountingCommunicator(ControlOf, CommunicatorPtr inner,
                                           std::function<void()> settle)
    : inner_(std::move(inner)), settle_(std::move(settle)) {}

CountingCommunicator::CountingCommunicator(CommunicatorPtr inner, std::function<void()> settle)
    : inner_(std::move(inner)), settle_(std::move(settle)) {
  if (!inner_) throw error::InvalidArgument("CountingCommunicator: given no communicator");
  control_.reset(
      new CountingCommunicator(ControlOf{}, CommunicatorPtr(inner_, &inner_->control()), settle_));
}

Traffic CountingCommunicator::data() const {
  Traffic total;
  for (const Traffic& each : traffic_) total += each;
  return total;
}

void CountingCommunicator::reset() {
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

void CountingCommunicator::do_all_reduce(void* data, std::int64_t elements, DataType type,
                                         Reduction reduction) {
  count(Collective::all_reduce, bytes_of(elements, type),
        [&] { inner_->all_reduce(data, elements, type, reduction); });
}

void CountingCommunicator::do_broadcast(void* data, std::int64_t elements, DataType type,
                                        int root) {
  count(Collective::broadcast, root == rank() ? bytes_of(elements, type) : 0,
        [&] { inner_->broadcast(data, elements, type, root); });
}

void CountingCommunicator::do_all_gather(const void* mine, void* all,
                                         std::span<const std::int64_t> counts, DataType type) {
  count(Collective::all_gather, bytes_of(counts[static_cast<std::size_t>(rank())], type),
        [&] { inner_->all_gather(mine, all, counts, type); });
}

void CountingCommunicator::do_reduce_scatter(const void* all, void* mine,
                                             std::span<const std::int64_t> counts, DataType type,
                                             Reduction reduction) {
  const std::int64_t total = std::accumulate(counts.begin(), counts.end(), std::int64_t{0});
  count(Collective::reduce_scatter, bytes_of(total, type),
        [&] { inner_->reduce_scatter(all, mine, counts, type, reduction); });
}

void CountingCommunicator::do_exchange(std::span<const Message> sends,
                                       std::span<const Message> receives, DataType type) {
  std::int64_t elements = 0;
  for (const Message& message : sends) elements += message.peer == rank() ? 0 : message.count;
  count(Collective::exchange, bytes_of(elements, type),
        [&] { inner_->exchange(sends, receives, type); });
}

void CountingCommunicator::do_barrier() {
  count(Collective::barrier, 0, [&] { inner_->barrier(); });
}

CommunicatorPtr CountingCommunicator::do_split(int color, int key) {
  CommunicatorPtr part;
  count(Collective::split, 0, [&] { part = inner_->split(color, key); });
  return part;
}

}  // namespace tessera
