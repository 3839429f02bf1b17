#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tessera/core/tensor.hpp"
#include "tessera/solver/observer.hpp"

namespace tessera {

/// One row of metrics.csv. Metrics that were not asked for are NaN.
struct MetricsRow {
  std::int64_t iteration = 0;  ///< 0 for the first
  double psnr = 0;             ///< dB, against the truth, intensities 0 to 1
  double ssim = 0;
  double mse = 0;
  double objective = 0;  ///< data fidelity at the new iterate
  double gradient_time_s = 0;
  double denoise_time_s = 0;
  double time_s = 0;  ///< since the start, observers excluded
};

struct RecorderOptions {
  /// Image to compare with; undefined: no psnr, ssim and mse.
  Tensor truth;
  /// Objective to evaluate at each iterate, typically the fidelity's value; empty: none. Every rank
  /// calls it, so that it may be collective.
  std::function<double(const Tensor&)> objective;
  /// Compare with the truth on this rank. One rank is enough.
  bool compare = true;
};

/// Records a row per iteration.
class Recorder : public Observer {
 public:
  explicit Recorder(RecorderOptions options = {}) : options_(std::move(options)) {}

  void on_start(const Tensor& x0) override;
  Verdict on_iteration(const Iteration& iteration) override;

  const std::vector<MetricsRow>& rows() const { return rows_; }

 private:
  RecorderOptions options_;
  std::vector<MetricsRow> rows_;
};

/// Writes rows as comma-separated values under the header
/// iteration,psnr,ssim,mse,objective,gradient_time_sec,denoise_time_sec,time. Throws error::Io.
void write_metrics_csv(const std::string& path, const std::vector<MetricsRow>& rows);

}  // namespace tessera
