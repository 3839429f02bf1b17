// SPDX-License-Identifier: BSD-3-Clause
#include "tessera/run/recorder.hpp"

#include <ATen/ops/log10.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <type_traits>

#include "rows_text.hpp"
#include "tessera/core/error.hpp"
#include "tessera/metric/psnr.hpp"
#include "tessera/metric/shared_out.hpp"
#include "tessera/metric/ssim.hpp"

namespace tessera {

namespace {

/// Whether the window of SSIM fits every box.
bool has_ssim(const BoxSpace& space, const Tensor& x) {
  for (const Box& box : space.boxes()) {
    Extents shape = {x.size(0), x.size(1)};
    for (const std::int64_t extent : box.extents()) shape.push_back(extent);
    if (!ssim_is_defined(shape)) return false;
  }
  return true;
}

}  // namespace

static_assert(std::is_trivially_copyable_v<MetricsRow>, "rows travel between ranks as bytes");

Recorder::Recorder(RecorderOptions options) : options_(std::move(options)) {
  if (options_.warmup < 0) {
    throw error::InvalidArgument(
        fmt::format("Recorder: warmup is {}, expected at least 0", options_.warmup));
  }
}

void Recorder::on_start(const Tensor& x0) {
  if (options_.truth.defined()) check_like(x0, options_.truth, "Recorder: the iterate");
  device_ = x0.device();
  ++repetition_;
  last_time_s_ = 0;
  costs_ = {};
}

void Recorder::on_phase_begin(Phase /*phase*/) {
  if (options_.traffic) {
    mark_.data = options_.traffic->data();
    mark_.flags = options_.traffic->flags();
  }
  reset_memory_peak(device_);
  mark_.allocated_mb = memory_use(device_).allocated_mb;
}

void Recorder::on_phase_end(Phase phase) {
  PhaseCosts& costs = costs_[static_cast<std::size_t>(phase)];
  costs.memory = memory_use(device_);
  costs.memory_delta_mb = costs.memory.allocated_mb - mark_.allocated_mb;
  peak_mb_ = std::max(peak_mb_, costs.memory.peak_mb);
  if (options_.traffic) {
    const Traffic data = options_.traffic->data();
    costs.communication_s += data.seconds - mark_.data.seconds;
    costs.bytes_sent += data.bytes_sent - mark_.data.bytes_sent;
    costs.waiting_s += options_.traffic->flags().seconds - mark_.flags.seconds;
  }
}

Observer::Verdict Recorder::on_iteration(const Iteration& iteration) {
  const auto start = std::chrono::steady_clock::now();
  MetricsRow row{.repetition = repetition_,
                 .iteration = iteration.index,
                 .warmup = iteration.index < options_.warmup};
  row.relative_change = iteration.relative_change;
  row.gradient = costs_[static_cast<std::size_t>(Phase::gradient)];
  row.denoise = costs_[static_cast<std::size_t>(Phase::prior)];
  row.gradient.time_s = iteration.gradient_time_s;
  row.denoise.time_s = iteration.prior_time_s;
  row.time_s = iteration.elapsed_s;
  row.iteration_time_s = iteration.elapsed_s - last_time_s_;
  row.process = memory_use(at::kCPU);
  row.memory = device_.is_cpu() ? row.process : memory_use(device_);
  row.memory.peak_mb = std::max(peak_mb_, row.memory.peak_mb);
  if (options_.objective) row.objective = options_.objective(iteration.x);
  if (options_.compare && options_.truth.defined()) compare(iteration.x, row);
  rows_.push_back(row);
  last_time_s_ = iteration.elapsed_s;
  costs_ = {};
  recording_time_s_ +=
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return Verdict::proceed;
}

void Recorder::compare(const Tensor& x, MetricsRow& row) const {
  const BoxSpace* space = options_.space.get();
  const Tensor& truth = options_.truth;
  const Tensor errors = space != nullptr ? mse(*space, x, truth) : mse(x, truth);
  row.mse = errors.mean().item<double>();
  row.psnr = (-10 * at::log10(errors)).mean().item<double>();
  if (space != nullptr) {
    if (has_ssim(*space, x)) row.ssim = ssim(*space, x, truth).mean().item<double>();
  } else if (ssim_is_defined(x.sizes())) {
    row.ssim = ssim(x, truth).mean().item<double>();
  }
}

std::string Recorder::save() const {
  return detail::rows_to_text(rows_);
}

void Recorder::restore(std::string_view saved) {
  rows_ = detail::rows_from_text(saved);
  if (rows_.empty()) return;
  repetition_ = rows_.back().repetition;
  last_time_s_ = rows_.back().time_s;
  for (const MetricsRow& row : rows_) peak_mb_ = std::max(peak_mb_, row.memory.peak_mb);
}

}  // namespace tessera
