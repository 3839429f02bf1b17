#pragma once

#include <csignal>
#include <utility>
#include <vector>

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
  ~StopOnSignal() override;

  /// The last signal that reached this rank; 0: none.
  int signal() const;

  Verdict on_iteration(const Iteration& iteration) override;

 private:
  void restore_handlers() noexcept;

  std::vector<std::pair<int, struct sigaction>> before_;
};

}  // namespace tessera
