// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tessera/comm/communicator.hpp"
#include "tessera/distributed/box_space.hpp"
#include "tessera/solver/solver.hpp"

namespace tessera {

struct CheckpointOptions {
  std::int64_t every = 10;  ///< iterations between two writes, >= 1
  /// What defines the run, by name: resume() refuses a checkpoint in which any of it differs.
  std::map<std::string, std::string> configuration = {};
  /// Sees every iteration before it is written. What it has gathered (Observer::save()) is kept in
  /// the checkpoint, and given back to it in a run that is resumed. Must outlive the checkpoint.
  Observer* observer = nullptr;
  /// The operators that this rank holds, Physics::held(): for solvers with SolverState::measured,
  /// whose tensors the file keeps by operator.
  std::vector<std::int64_t> held = {};
  /// Where images are shared out; null: every rank has them whole. The file is the same: images
  /// come to the first rank slab by slab, and no rank ever has one whole.
  BoxSpacePtr space = nullptr;
  /// With `space`, for solvers with SolverState::measured: where what each of `held` measures is
  /// shared out, BoxedOperator::measured_space(), or `space` itself of a SlabBlur. The tensors come
  /// to the first rank as images do.
  std::vector<BoxSpacePtr> measured_spaces = {};
};

/// Keeps a run in a file, so that it can go on after the job was killed:
///
///   Recorder recorder({.truth = truth});
///   Checkpoint checkpoint("run.checkpoint", world, {.every = 10, .observer = &recorder});
///   const SolverState start = checkpoint.resume(x0);  // x0 if there is no such file yet
///   const SolveResult result = solver.solve(start, checkpoint);
///
/// The run goes on with the same bits as one that was never interrupted, on the same number of
/// ranks; on another to rounding, if the tiles are the same. All of the solver's state is kept;
/// what belongs to an operator goes to the rank that holds it now. The first rank writes, after
/// every `every`-th iteration and after the last; the file is replaced only once the new one is
/// complete, so that being killed loses the iterations since the last write and no more. A write
/// that fails is an error on all ranks, and leaves the file as it was.
///
/// The file is a .safetensors file with the iterate "x", which other programs can read, and a
/// checksum over all it holds; docs/how_to/checkpoint.md names its fields.
class Checkpoint : public Observer {
 public:
  /// Throws error::InvalidArgument if options.every < 1, options.space is of other ranks, or
  /// options.measured_spaces has entries that are not one such space for each of options.held.
  /// Local.
  Checkpoint(std::string path, CommunicatorPtr ranks, CheckpointOptions options = {});

  /// Collective. Where the run stood that wrote the file; {.x = x0} if there is none, so that
  /// `iterations` == 0 means that it begins anew. What is shared out is cut as it is now, whatever
  /// ranks and cuts wrote the file. All tensors come to the device of x0. Throws
  /// error::InvalidArgument naming what differs if the file belongs to another configuration or to
  /// other operators, error::ShapeMismatch if its x is not like x0 or a measured tensor not of its
  /// space, error::Io if it is truncated, damaged or of another format.
  SolverState resume(const Tensor& x0);

  /// How many ranks wrote what resume() read; 0: it read nothing.
  int ranks_before() const { return static_cast<int>(ranks_before_); }

  /// Removes what a killed write left behind. Throws error::Io if the file cannot be written.
  void on_start(const Tensor& x0) override;
  void on_phase_begin(Phase phase) override;
  void on_phase_end(Phase phase) override;
  Verdict on_iteration(const Iteration& iteration) override;
  void on_end(const SolveResult& result) override;
  std::string save() const override;
  void restore(std::string_view saved) override;

 private:
  void write(const SolverState& state);

  std::string path_;
  CommunicatorPtr ranks_;
  CheckpointOptions options_;
  std::int64_t written_ = 0;  // iterations in the file; 0: nothing of this run
  std::int64_t ranks_before_ = 0;
  std::string saved_;  // of this rank's observer, in the run that is resumed
};

}  // namespace tessera
