// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdlib>
#include <cstring>
#include <vector>

#include "tessera/comm/communicator.hpp"

namespace tessera {

/// The communicator of a program that runs alone: one rank, no transport.
CommunicatorPtr self_communicator();

namespace detail {

inline void copy(const void* from, void* to, std::int64_t count, DataType type) {
  if (count > 0 && from != to)
    std::memmove(to, from, static_cast<std::size_t>(count) * size_of(type));
}

class SelfCommunicator final : public Communicator {
 public:
  int rank() const override { return 0; }
  int size() const override { return 1; }
  std::string name() const override { return "self"; }
  [[noreturn]] void abort(int code) override { std::_Exit(code); }

 private:
  void do_all_reduce(void*, std::int64_t, DataType, Reduction) override {}
  void do_broadcast(void*, std::int64_t, DataType, int) override {}
  void do_all_gather(const void* mine, void* all, std::span<const std::int64_t> counts,
                     DataType type) override {
    copy(mine, all, counts[0], type);
  }
  void do_reduce_scatter(const void* all, void* mine, std::span<const std::int64_t> counts,
                         DataType type, Reduction) override {
    copy(all, mine, counts[0], type);
  }
  // Public exchange() has checked that sends and receives match one to one.
  void do_exchange(std::span<const Message> sends, std::span<const Message> receives,
                   DataType type) override {
    for (std::size_t i = 0; i < sends.size(); ++i) {
      copy(sends[i].data, receives[i].data, sends[i].count, type);
    }
  }
  void do_barrier() override {}
  CommunicatorPtr do_split(int, int) override { return self_communicator(); }
};

}  // namespace detail

inline CommunicatorPtr self_communicator() {
  return std::make_shared<detail::SelfCommunicator>();
}

}  // namespace tessera
