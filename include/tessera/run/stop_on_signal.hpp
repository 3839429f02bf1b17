// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <atomic>
#include <cerrno>
#include <csignal>
#include <system_error>
#include <utility>
#include <vector>

#include "tessera/core/error.hpp"
#include "tessera/core/text.hpp"
#include "tessera/solver/observer.hpp"

namespace tessera {

/// Stops a solver, on all ranks, after the iteration during which a signal reached any of them, so
/// that a job that is about to be taken away ends in order (Slurm sends SIGTERM before it preempts
/// a job, and what `sbatch --signal` names before a time limit).
///
/// Catches the signals from its construction to its destruction, for the whole process; then the
/// handlers that were there before return. One at a time.
class StopOnSignal : public Observer {
 public:
  /// Throws error::InvalidArgument for a signal that cannot be caught, or if there is one already.
  explicit StopOnSignal(const std::vector<int>& signals = {SIGTERM, SIGUSR1});
  StopOnSignal(const StopOnSignal&) = delete;
  StopOnSignal& operator=(const StopOnSignal&) = delete;
  inline ~StopOnSignal() override;

  /// The last signal that reached this rank; 0: none.
  int signal() const;

  inline Verdict on_iteration(const Iteration& iteration) override;

 private:
  void restore_handlers() noexcept;

  std::vector<std::pair<int, struct sigaction>> before_;
};

namespace detail {

// A handler can reach nothing but globals.
inline std::atomic<int> received_signal = 0;
inline std::atomic<bool> signals_in_use = false;
static_assert(std::atomic<int>::is_always_lock_free);

extern "C" inline void remember_signal(int number) {
  received_signal.store(number, std::memory_order_relaxed);
}

}  // namespace detail

inline StopOnSignal::StopOnSignal(const std::vector<int>& signals) {
  if (detail::signals_in_use.exchange(true)) {
    throw error::InvalidArgument(
        "StopOnSignal: there is one already, and signals have one handler");
  }
  detail::received_signal = 0;
  for (const int number : signals) {
    struct sigaction action {};
    action.sa_handler = detail::remember_signal;
    action.sa_flags = SA_RESTART;
    struct sigaction before {};
    if (::sigaction(number, &action, &before) != 0) {
      const std::string reason = std::generic_category().message(errno);
      restore_handlers();
      throw error::InvalidArgument(
          formatted("StopOnSignal: signal {} cannot be caught: {}", number, reason));
    }
    before_.emplace_back(number, before);
  }
}

inline StopOnSignal::~StopOnSignal() {
  restore_handlers();
}

inline void StopOnSignal::restore_handlers() noexcept {
  for (auto last = before_.rbegin(); last != before_.rend(); ++last) {
    ::sigaction(last->first, &last->second, nullptr);
  }
  before_.clear();
  detail::signals_in_use = false;
}

inline int StopOnSignal::signal() const {
  return detail::received_signal.load(std::memory_order_relaxed);
}

inline Observer::Verdict StopOnSignal::on_iteration(const Iteration& /*iteration*/) {
  return signal() == 0 ? Verdict::proceed : Verdict::stop;
}

}  // namespace tessera
