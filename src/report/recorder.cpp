#include "tessera/report/recorder.hpp"

#include <fmt/format.h>

#include <iterator>
#include <limits>

#include "tessera/io/atomic_file.hpp"
#include "tessera/metric/psnr.hpp"
#include "tessera/metric/ssim.hpp"

namespace tessera {

void Recorder::on_start(const Tensor& x0) {
  rows_.clear();
  if (options_.truth.defined()) check_like(x0, options_.truth, "Recorder: the iterate");
}

Observer::Verdict Recorder::on_iteration(const Iteration& iteration) {
  constexpr double unknown = std::numeric_limits<double>::quiet_NaN();
  const bool compares = options_.compare && options_.truth.defined();
  MetricsRow row{.iteration = iteration.index,
                 .psnr = unknown,
                 .ssim = unknown,
                 .mse = unknown,
                 .objective = options_.objective ? options_.objective(iteration.x) : unknown,
                 .gradient_time_s = iteration.gradient_time_s,
                 .denoise_time_s = iteration.prior_time_s,
                 .time_s = iteration.elapsed_s};
  if (compares) {
    row.psnr = psnr(iteration.x, options_.truth).mean().item<double>();
    row.ssim = ssim(iteration.x, options_.truth).mean().item<double>();
    row.mse = mse(iteration.x, options_.truth).mean().item<double>();
  }
  rows_.push_back(row);
  return Verdict::proceed;
}

void write_metrics_csv(const std::string& path, const std::vector<MetricsRow>& rows) {
  std::string text = "iteration,psnr,ssim,mse,objective,gradient_time_sec,denoise_time_sec,time\n";
  for (const MetricsRow& row : rows) {
    fmt::format_to(std::back_inserter(text),
                   "{},{:.6f},{:.6f},{:.9g},{:.9g},{:.6f},{:.6f},{:.6f}\n", row.iteration, row.psnr,
                   row.ssim, row.mse, row.objective, row.gradient_time_s, row.denoise_time_s,
                   row.time_s);
  }
  AtomicFile file(path);
  file.write(text);
  file.commit();
}

}  // namespace tessera
