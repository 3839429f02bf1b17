// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "restore/inputs.hpp"
#include "restore/run.hpp"
#include "tessera/comm/communicator.hpp"
#include "tessera/run/checkpoint.hpp"
#include "tessera/run/stop_on_signal.hpp"
#include "tessera/solver/solver.hpp"

namespace restore {

/// The checkpoint of a run beside its output, and the signals that end it after an iteration.
class KeptRun {
 public:
  /// Collective. Reads all files of the configuration on the first rank: a run goes on only with
  /// what it began with. Throws error::Io if one cannot be read.
  KeptRun(const RunOrders& orders, const Inputs& inputs, const tessera::CommunicatorPtr& world);

  /// Collective. Where a run begins that would begin with x0, told on the first rank if it was to
  /// be resumed; throws as tessera::Checkpoint::resume() does.
  tessera::SolverState begin(const tessera::Tensor& x0);

  /// What is to watch the solver, in this order.
  std::vector<std::reference_wrapper<tessera::Observer>> observers() {
    return {checkpoint_, signals_};
  }

 private:
  std::string path_;
  bool resumes_;
  bool tells_;
  tessera::Checkpoint checkpoint_;
  tessera::StopOnSignal signals_;
};

/// The checkpoint of a run with this output.
std::string checkpoint_path(const std::string& output);

}  // namespace restore
