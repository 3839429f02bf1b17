// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tessera/comm/counting.hpp"
#include "tessera/core/tensor.hpp"
#include "tessera/denoiser/denoiser.hpp"
#include "tessera/distributed/box_space.hpp"
#include "tessera/run/memory.hpp"
#include "tessera/solver/observer.hpp"
#include "tessera/solver/solver.hpp"

namespace tessera {

/// What one half of an iteration, the gradient or the denoiser, cost this rank.
struct PhaseCosts {
  double time_s = 0;           ///< communication and waiting included, device work done
  double communication_s = 0;  ///< moving data between ranks
  /// Until all ranks were ready: the small flag reductions that come before data are moved, where a
  /// rank that is done early waits for the others.
  double waiting_s = 0;
  std::int64_t bytes_sent = 0;  ///< data handed to the communicator for others, see Traffic
  MemoryUse memory = {};        ///< at the end
  double memory_delta_mb = MemoryUse::unknown;  ///< allocated at the end less at the beginning

  /// What this rank computed itself.
  double compute_s() const { return time_s - communication_s - waiting_s; }
};

/// One iteration on one rank. Metrics that were not asked for are NaN.
struct MetricsRow {
  static constexpr double unknown = std::numeric_limits<double>::quiet_NaN();
  std::int64_t repetition = 0;  ///< 0 for the first
  std::int64_t iteration = 0;   ///< 0 for the first
  bool warmup = false;          ///< not counted in statistics of times
  double psnr = unknown;        ///< dB, against the truth, intensities 0 to 1
  double ssim = unknown;
  double mse = unknown;
  double objective = unknown;  ///< data fidelity at the new iterate
  double relative_change = 0;  ///< ||x_new - x_old|| / ||x_new||
  PhaseCosts gradient = {};
  PhaseCosts denoise = {};
  double iteration_time_s = 0;  ///< both halves and the stopping rules; observers excluded
  double time_s = 0;            ///< since the start of the repetition, observers excluded
  MemoryUse memory = {};        ///< of the iterate's device; the peak is that of the run so far
  MemoryUse process = {};       ///< of this process in host memory

  /// Of both halves.
  double communication_s() const { return gradient.communication_s + denoise.communication_s; }
  double waiting_s() const { return gradient.waiting_s + denoise.waiting_s; }
  std::int64_t bytes_sent() const { return gradient.bytes_sent + denoise.bytes_sent; }
};

struct RecorderOptions {
  /// Image to compare with; undefined: no psnr, ssim and mse. Images below 6 pixels in a direction
  /// have no ssim: its window does not fit.
  Tensor truth = {};
  /// Objective to evaluate at each iterate, typically the fidelity's value; empty: none. Every rank
  /// calls it, so that it may be collective.
  std::function<double(const Tensor&)> objective = {};
  /// Compare with the truth on this rank. One rank is enough, unless `space` is given.
  bool compare = true;
  /// Where ranks share out the image; null: every rank has it whole. The truth then is this rank's
  /// box, and every rank compares: collective. Boxes below 6 pixels in a direction have no ssim.
  BoxSpacePtr space = nullptr;
  /// The communicator that physics and denoiser were made with; null: no communication is recorded.
  std::shared_ptr<const CountingCommunicator> traffic = nullptr;
  /// The denoiser of the run; if it is a TiledDenoiser, write_run() takes the tile plan from it.
  DenoiserPtr denoiser = nullptr;
  /// The first iterations of each repetition that statistics of times leave out: caches fill,
  /// memory is fetched.
  std::int64_t warmup = 1;
};

/// Records a row per iteration: times, communication, memory, and how good the iterate is. Each
/// rank has its own. Given to several runs one after another, it takes them for repetitions of one.
///
/// A run that leaves the same files as the example programs, on every rank:
///
///   auto ranks = std::make_shared<CountingCommunicator>(world);  // physics and denoiser: with it
///   Recorder recorder({.truth = truth, .compare = ranks->is_root(), .traffic = ranks,
///                      .denoiser = denoiser});
///   solver.solve(x0, recorder);
///   write_run("results", *ranks, recorder);                                // run_folder.hpp
///   if (ranks->is_root()) write_report("results/report.html", {"results"});  // report.hpp
class Recorder : public Observer {
 public:
  /// Throws error::InvalidArgument if options.warmup < 0.
  explicit Recorder(RecorderOptions options = {});

  void on_start(const Tensor& x0) override;
  void on_phase_begin(Phase phase) override;
  void on_phase_end(Phase phase) override;
  Verdict on_iteration(const Iteration& iteration) override;
  void on_end(const SolveResult& result) override { result_ = result; }
  /// The rows as text, with the names of their fields.
  std::string save() const override;
  /// Throws error::InvalidArgument for text that save() did not return.
  void restore(std::string_view saved) override;

  /// This rank's rows, of all repetitions.
  const std::vector<MetricsRow>& rows() const { return rows_; }
  const RecorderOptions& options() const { return options_; }
  /// How the last run ended; empty while none has.
  const std::optional<SolveResult>& result() const { return result_; }
  /// Time spent in this recorder, on this rank.
  double recording_time_s() const { return recording_time_s_; }

 private:
  /// Counters at the beginning of a phase.
  struct Mark {
    Traffic data;
    Traffic flags;
    double allocated_mb = 0;
  };
  void compare(const Tensor& x, MetricsRow& row) const;

  RecorderOptions options_;
  std::vector<MetricsRow> rows_;
  std::optional<SolveResult> result_;
  at::Device device_ = at::kCPU;
  std::int64_t repetition_ = -1;
  double last_time_s_ = 0;
  double peak_mb_ = 0;
  double recording_time_s_ = 0;
  std::array<PhaseCosts, 2> costs_;  // of the iteration at hand, by Phase
  Mark mark_;
};

/// A column of metrics.csv and rank_<r>.csv.
struct MetricsColumn {
  const char* name;
  double (*value)(const MetricsRow&);
};

/// What rank_<r>.csv holds: costs. metrics.csv begins with iteration,psnr,ssim,mse,objective, then
/// has the same.
const std::vector<MetricsColumn>& cost_columns();

/// Writes rows as comma-separated values with a header; unknown values are empty. Throws error::Io.
void write_metrics_csv(const std::string& path, const std::vector<MetricsRow>& rows);
/// The same without psnr, ssim, mse and objective.
void write_rank_csv(const std::string& path, const std::vector<MetricsRow>& rows);

}  // namespace tessera
