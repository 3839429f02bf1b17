#include "tessera/solver/stop_on_signal.hpp"

#include <fmt/format.h>

#include <atomic>
#include <cerrno>
#include <system_error>

#include "tessera/core/error.hpp"

namespace tessera {

namespace {

// A handler can reach nothing but globals.
std::atomic<int> received = 0;
std::atomic<bool> in_use = false;
static_assert(std::atomic<int>::is_always_lock_free);

extern "C" void remember_signal(int number) {
  received.store(number, std::memory_order_relaxed);
}

}  // namespace

StopOnSignal::StopOnSignal(const std::vector<int>& signals) {
  if (in_use.exchange(true)) {
    throw error::InvalidArgument(
        "StopOnSignal: there is one already, and signals have one handler");
  }
  received = 0;
  for (const int number : signals) {
    struct sigaction action {};
    action.sa_handler = remember_signal;
    action.sa_flags = SA_RESTART;
    struct sigaction before {};
    if (::sigaction(number, &action, &before) != 0) {
      const std::string reason = std::generic_category().message(errno);
      restore_handlers();
      throw error::InvalidArgument(
          fmt::format("StopOnSignal: signal {} cannot be caught: {}", number, reason));
    }
    before_.emplace_back(number, before);
  }
}

StopOnSignal::~StopOnSignal() {
  restore_handlers();
}

void StopOnSignal::restore_handlers() noexcept {
  for (auto last = before_.rbegin(); last != before_.rend(); ++last) {
    ::sigaction(last->first, &last->second, nullptr);
  }
  before_.clear();
  in_use = false;
}

int StopOnSignal::signal() const {
  return received.load(std::memory_order_relaxed);
}

Observer::Verdict StopOnSignal::on_iteration(const Iteration& /*iteration*/) {
  return signal() == 0 ? Verdict::proceed : Verdict::stop;
}

}  // namespace tessera
