// SPDX-License-Identifier: BSD-3-Clause
#include "output.hpp"

#include <ATen/ops/cat.h>
#include <fmt/format.h>

#include <algorithm>

#include "problem.hpp"
#include "settings/views.hpp"
#include "tessera/comm/agreement.hpp"
#include "tessera/core/error.hpp"
#include "tessera/io/image.hpp"
#include "tessera/io/npy.hpp"
#include "tessera/report/report.hpp"
#include "tessera/run/preview.hpp"
#include "tessera/run/run_folder.hpp"

namespace {

/// The settings as the run settled them.
tessera::Settings configuration(const Options& options, const Outcome& outcome) {
  tessera::Settings values = settings::summary_values(
      table(), options,
      {{"denoiser_sigma_start", options.denoiser_sigma_start.value_or(options.denoiser_sigma)},
       {"step_size", outcome.step_size},
       {"backend", outcome.backend},
       {"threads", std::int64_t{outcome.threads}}});
  values.emplace_back("noise_generator", std::int64_t{noise_generator_version});
  return values;
}

tessera::RunDescription description(const Options& options, const Outcome& outcome) {
  tessera::RunDescription description;
  description.configuration = configuration(options, outcome);
  description.totals = {{"setup_time_sec", outcome.setup_s}};
  description.more = {{"arguments", options.arguments},
                      {"inputs", outcome.inputs},
                      {"warnings", outcome.warnings},
                      {"norm_squared", outcome.norm_squared}};
  if (outcome.result.reason == tessera::StopReason::not_finite) {
    description.more.emplace_back("completed", false);  // a grid runs such a row again
  }
  description.plan = outcome.plan;
  description.tiling = outcome.tiling;
  description.operators_per_rank = outcome.operators_per_rank;
  description.samples = outcome.samples;
  if (!outcome.measurements.empty()) {
    description.pictures.push_back({"measurement 1", outcome.measurements.front()});
  }
  return description;
}

void write_preview(const std::string& path, const Outcome& outcome) {
  std::vector<tessera::Panel> panels = {{"truth", outcome.truth}};
  for (std::size_t i = 0; i < std::min<std::size_t>(2, outcome.measurements.size()); ++i) {
    panels.push_back({fmt::format("measurement {}", i + 1), outcome.measurements[i]});
  }
  const std::vector<tessera::MetricsRow>& rows = outcome.recorder->rows();
  panels.push_back({rows.empty() ? "restored" : fmt::format("restored {:.1f} dB", rows.back().psnr),
                    outcome.result.x});
  tessera::write_image(path, tessera::side_by_side(panels));
}

}  // namespace

void write_outcome(const Options& options, const Outcome& outcome, tessera::Communicator& world) {
  const std::string& folder = options.out;
  tessera::guarded(world, "highres_deblurring", [&] {
    if (!world.is_root()) return;
    write_preview(folder + "/preview.png", outcome);
    if (!options.save_npy) return;
    tessera::write_npy(folder + "/x.npy", outcome.result.x.squeeze(0));
    tessera::write_npy(folder + "/truth.npy", outcome.truth.squeeze(0));
    tessera::write_npy(folder + "/measurements.npy", at::cat(outcome.measurements));
  });
  tessera::write_run(folder, world, *outcome.recorder, description(options, outcome));
  tessera::guarded(world, "highres_deblurring", [&] {
    if (world.is_root() && !options.no_report) {
      tessera::write_report(folder + "/report.html", {folder});
    }
  });
}
