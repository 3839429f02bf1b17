// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "options.hpp"
#include "tessera/comm/communicator.hpp"
#include "tessera/core/tensor.hpp"
#include "tessera/distributed/tile_plan.hpp"
#include "tessera/io/image.hpp"
#include "tessera/run/recorder.hpp"
#include "tessera/solver/solver.hpp"

/// A finished run, on one rank.
struct Outcome {
  tessera::Tensor truth;
  tessera::TensorList measurements;  ///< all of them with --save-npy, else those of the first rank
  tessera::SolveResult result;
  std::shared_ptr<const tessera::Recorder> recorder;
  double step_size = 0;                   ///< the one used
  double norm_squared = 0;                ///< ||A||^2
  std::string backend;                    ///< how the ranks exchanged data: "mpi", "nccl" or "self"
  int threads = 0;                        ///< per rank
  std::optional<tessera::TilePlan> plan;  ///< none if untiled
  std::vector<std::int64_t> operators_per_rank;  ///< how many blurs each rank has
  std::string tiling;                            ///< summary of the tile plan; empty if untiled
  std::map<std::string, std::string> inputs;     ///< Inputs::digests
  tessera::SampleType samples = tessera::SampleType::u8;  ///< of the pictures to write
  std::vector<std::string> warnings;                      ///< printed already
  double setup_s = 0;
  bool interrupted = false;  ///< by a signal, before its end; there is a checkpoint
};

/// Collective. Writes the run's folder (tessera::write_run), preview.png and, if asked for, the
/// .npy files and report.html into options.out. Throws error::RankFailure.
void write_outcome(const Options& options, const Outcome& outcome, tessera::Communicator& world);
