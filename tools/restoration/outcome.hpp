// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "restoration/sharing.hpp"
#include "tessera/comm/communicator.hpp"
#include "tessera/core/tensor.hpp"
#include "tessera/distributed/box_space.hpp"
#include "tessera/distributed/tile_plan.hpp"
#include "tessera/io/image.hpp"
#include "tessera/run/preview.hpp"
#include "tessera/run/recorder.hpp"
#include "tessera/run/run_folder.hpp"
#include "tessera/solver/solver.hpp"

namespace restoration {

/// What the program exits with when a signal interrupted it and --resume can go on: EX_TEMPFAIL.
constexpr int interrupted_code = 75;

/// A finished run, on one rank.
struct Outcome {
  /// Where ranks share out the image, and what they measure of it; null, empty: every rank has all
  /// whole. Images and measurements then are this rank's boxes.
  tessera::BoxSpacePtr space;
  std::vector<tessera::BoxSpacePtr> measured_spaces;
  tessera::Tensor truth;
  tessera::TensorList measurements;  ///< those to be written, of the first rank
  /// Beside the truth and the restoration; empty: the first measurements, which then are pictures.
  std::vector<tessera::Panel> pictures;
  tessera::SolveResult result;
  std::shared_ptr<const tessera::Recorder> recorder;
  tessera::Guarantee guarantee = tessera::Guarantee::none;  ///< of the solver
  std::string compared;                   ///< a simpler method, and how good it is; empty: none
  double step_size = 0;                   ///< the one used
  double norm_squared = 0;                ///< ||A||^2; 0: the method needs none
  std::string backend;                    ///< how the ranks exchanged data: "mpi", "nccl" or "self"
  int threads = 0;                        ///< per rank
  std::optional<tessera::TilePlan> plan;  ///< none if untiled
  std::vector<std::int64_t> operators_per_rank;  ///< how many each rank has
  /// The plan in words, and of boxes, which are told when the run begins; empty if there is
  /// neither.
  std::string tiling;
  Digests inputs;                                         ///< of the files that were read
  tessera::SampleType samples = tessera::SampleType::u8;  ///< of the pictures to write
  std::vector<std::string> warnings;                      ///< printed already
  double setup_s = 0;
  bool interrupted = false;  ///< by a signal, before its end; there is a checkpoint
};

/// What is written and said of it.
struct Telling {
  std::string program;                 ///< begins messages
  std::string folder;                  ///< --out
  std::string method;                  ///< begins the line printed at the end
  tessera::Settings configuration;     ///< as the run settled it
  std::vector<std::string> arguments;  ///< the same run again
  bool save_npy = false;
  bool has_report = true;
  bool quiet = false;
};

/// Collective where ranks share out the image. Digests of what the result depends on beside the
/// settings: the image, and the contents of files but for its own, which may be stored otherwise.
std::map<std::string, std::string> contents_of(const Outcome& outcome);

/// Collective. Writes the run's folder (tessera::write_run), preview.png and, if asked for, the
/// .npy files and report.html. Where ranks share out the image, pictures are reduced
/// (tessera::picture_at_root) and x.npy is always written. Throws error::RankFailure.
void write_outcome(const Telling& telling, const Outcome& outcome, tessera::Communicator& world);

/// Prints how the run ended, on the first rank. Returns the program's exit code: 0; 1 for an
/// iteration that was not finite; interrupted_code.
int print_outcome(const Telling& telling, const Outcome& outcome, bool is_root);

/// One report.html in `folder` over the folders of earlier runs.
void write_report_on(const Telling& telling, const std::vector<std::string>& folders);

}  // namespace restoration
