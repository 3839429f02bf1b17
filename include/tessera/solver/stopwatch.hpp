// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <chrono>

#include "tessera/core/tensor.hpp"
#include "tessera/solver/observer.hpp"

namespace tessera {

/// Runs `work`, waits until the device it ran on is done, and adds the seconds to `total_s`.
template <typename Work>
Tensor timed(double& total_s, Work&& work) {
  const auto start = std::chrono::steady_clock::now();
  Tensor result = work();
  synchronize(result);
  total_s += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return result;
}

/// The clock of one half of an iteration, and who wants to know when it begins and ends.
struct PhaseTimer {
  Phase phase;
  Observer* observer = nullptr;  ///< null: nobody
  double seconds = 0;            ///< of the work
  double observed_s = 0;         ///< spent in the observer
};

/// Runs `work` as (a part of) that half. If it throws, the observer does not hear of its end.
template <typename Work>
Tensor timed(PhaseTimer& timer, Work&& work) {
  using Clock = std::chrono::steady_clock;
  const auto tell = [&timer](void (Observer::*event)(Phase)) {
    if (timer.observer == nullptr) return;
    const auto start = Clock::now();
    (timer.observer->*event)(timer.phase);
    timer.observed_s += std::chrono::duration<double>(Clock::now() - start).count();
  };
  tell(&Observer::on_phase_begin);
  Tensor result = timed(timer.seconds, work);
  tell(&Observer::on_phase_end);
  return result;
}

}  // namespace tessera
