// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <c10/core/DeviceGuard.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "restoration/backend.hpp"
#include "restoration/outcome.hpp"
#include "restoration/step_limit.hpp"
#include "tessera/comm/agreement.hpp"
#include "tessera/comm/communicator.hpp"
#include "tessera/comm/counting.hpp"
#include "tessera/distributed/tiled_denoiser.hpp"
#include "tessera/fidelity/data_fidelity.hpp"
#include "tessera/run/recorder.hpp"
#include "tessera/run/stop_on_signal.hpp"
#include "tessera/solver/solver.hpp"

namespace restoration {

/// How a run is carried out, as the command line says.
struct RunOptions {
  std::string program;  ///< begins messages
  std::string folder;   ///< --out
  at::DeviceType device = at::kCPU;
  Backend backend = Backend::automatic;
  int threads = 0;  ///< per rank; 0: see tessera::threads_for_this_rank
  std::int64_t iterations = 1;
  std::int64_t repetitions = 1;
  std::int64_t warmup = 1;
  std::int64_t checkpoint_every = 0;  ///< 0: none, or every 10 iterations with `resume`
  bool resume = false;
  bool quiet = false;  ///< warnings and errors only
  /// Whether ranks share work; those that share nothing iterate each by itself.
  bool shares_work = true;
  /// What is to be expected if a checkpoint is resumed by another number of ranks.
  std::string with_other_ranks = {};

  bool keeps_checkpoint() const { return checkpoint_every > 0 || resume; }
};

/// The checkpoint in the folder of a run.
std::string checkpoint_path(const std::string& folder);

/// A restoration from its start to its outcome: the place of each rank, warnings, progress,
/// checkpoints, signals, times. Every function is collective unless it says otherwise; all ranks
/// throw together.
class SupervisedRun {
 public:
  /// Begins: shares the cores, chooses devices and transport. Throws error::InvalidArgument for a
  /// checkpoint of ranks that do not stop together, error::RankFailure for too many threads or
  /// devices that are not there.
  SupervisedRun(RunOptions options, tessera::CommunicatorPtr world);

  /// Local. What the run leaves; its maker fills in what solve() does not.
  Outcome& outcome() { return outcome_; }
  tessera::Communicator& world() const { return *world_; }
  /// Over the transport chosen. It counts what is sent, and waits for a GPU's queued work first, so
  /// that this is not taken for communication.
  tessera::CommunicatorPtr ranks() const { return counting_; }
  int gpu() const { return gpu_; }
  at::Device device() const { return device_of(options_.device, gpu_); }

  /// Calls `step` on all ranks; all throw if one does.
  template <typename Step>
  auto together(Step&& step) {
    return tessera::guarded(*world_, options_.program, std::forward<Step>(step));
  }

  /// Local. Keeps what is to be told, and prints it on the first rank, also with --quiet. Every
  /// rank has the same to tell.
  void warn(const std::string& text);

  /// Local. The denoiser over the tiles of all ranks, told in the outcome; the truth is there.
  std::shared_ptr<const tessera::TiledDenoiser> shared_by_tiles(
      tessera::DenoiserPtr network, const tessera::TilingOptions& tiling);

  /// The outcome's measurements become those of all ranks, in the order of their operators.
  void gather_measurements(const tessera::LinearPhysics& physics);

  /// Ends the set-up and iterates from x0, with a Recorder of `fidelity` watching; as often as
  /// options.repetitions says, or from a checkpoint to the next. `identity` names what must be the
  /// same for a checkpoint to be gone on with. `limit`: what the step in outcome() is held against,
  /// for solvers that have one. Throws error::InvalidArgument if not one iteration was finite.
  void solve(const tessera::Solver& solver, const tessera::Tensor& x0,
             const tessera::DataFidelity& fidelity, const std::optional<StepLimit>& limit,
             const std::function<std::map<std::string, std::string>()>& identity);

 private:
  void solve_from(const tessera::Solver& solver, const tessera::SolverState& start,
                  std::vector<std::reference_wrapper<tessera::Observer>> observers,
                  const tessera::Recorder& recorder);
  void solve_with_checkpoint(const tessera::Solver& solver, const tessera::Tensor& x0,
                             tessera::Recorder& recorder, std::vector<std::int64_t> held,
                             std::map<std::string, std::string> identity);

  RunOptions options_;
  tessera::CommunicatorPtr world_;
  std::shared_ptr<tessera::CountingCommunicator> counting_;
  int gpu_ = 0;
  std::optional<tessera::StopOnSignal> signals_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  Outcome outcome_;
};

}  // namespace restoration
