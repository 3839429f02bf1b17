#include "output.hpp"

#include <ATen/ops/cat.h>
#include <fmt/format.h>
#include <torch/version.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "tessera/core/error.hpp"
#include "tessera/core/version.hpp"
#include "tessera/io/atomic_file.hpp"
#include "tessera/io/image.hpp"
#include "tessera/io/npy.hpp"
#include "tessera/report/preview.hpp"

namespace fs = std::filesystem;
using nlohmann::ordered_json;

namespace {

ordered_json configuration(const Options& options, const Outcome& outcome) {
  return {{"image", options.image},
          {"image_size", options.image_size},
          {"shape", outcome.truth.sizes().vec()},
          {"num_operators", options.num_operators},
          {"noise_level", options.noise_level},
          {"seed", options.seed},
          {"solver", options.solver},
          {"denoiser", options.denoiser},
          {"weights", options.weights},
          {"denoiser_sigma", options.denoiser_sigma},
          {"step_size", outcome.step_size},
          {"init_method", options.init_method},
          {"iterations", options.iterations},
          {"distribute_physics", options.distribute_physics.value_or(false)},
          {"distribute_denoiser", options.distribute_denoiser.value_or(false)},
          {"tiling", options.tiling},
          {"patch_size", options.patch_size},
          {"overlap", options.overlap},
          {"max_batch_size", options.max_batch_size},
          {"dtype", options.dtype},
          {"device", options.device},
          {"threads", outcome.threads},
          {"truth", options.truth},
          {"measurements", options.measurements}};
}

ordered_json totals(const Outcome& outcome) {
  double gradient_s = 0;
  double denoise_s = 0;
  for (const tessera::MetricsRow& row : outcome.rows) {
    gradient_s += row.gradient_time_s;
    denoise_s += row.denoise_time_s;
  }
  ordered_json json = {{"iterations", outcome.result.iterations},
                       {"setup_time_sec", outcome.setup_s},
                       {"time_sec", outcome.result.elapsed_s},
                       {"gradient_time_sec", gradient_s},
                       {"denoise_time_sec", denoise_s}};
  if (!outcome.rows.empty()) {
    json["psnr"] = outcome.rows.back().psnr;
    json["ssim"] = outcome.rows.back().ssim;
    json["objective"] = outcome.rows.back().objective;
  }
  return json;
}

void write_summary(const std::string& path, const Options& options, const Outcome& outcome) {
  const ordered_json summary = {
      {"configuration", configuration(options, outcome)},
      {"versions", {{"tessera", TESSERA_VERSION}, {"libtorch", TORCH_VERSION}}},
      {"ranks", outcome.hosts.size()},
      {"hosts", outcome.hosts},
      {"norm_squared", outcome.norm_squared},
      {"tile_plan", outcome.tiling},
      {"totals", totals(outcome)},
      {"stopped", tessera::to_string(outcome.result.reason)}};
  tessera::AtomicFile file(path);
  file.write(summary.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n");
  file.commit();
}

void write_pictures(const std::string& folder, const Outcome& outcome) {
  const tessera::Tensor& x = outcome.result.x;
  tessera::write_image(folder + "/reconstruction.png", x);
  std::vector<tessera::Panel> panels = {{"truth", outcome.truth}};
  for (std::size_t i = 0; i < std::min<std::size_t>(2, outcome.measurements.size()); ++i) {
    panels.push_back({fmt::format("measurement {}", i + 1), outcome.measurements[i]});
  }
  panels.push_back(
      {fmt::format("restored {:.1f} dB", outcome.rows.empty() ? 0.0 : outcome.rows.back().psnr),
       x});
  tessera::write_image(folder + "/preview.png", tessera::side_by_side(panels));
}

}  // namespace

void prepare_folder(const std::string& folder) {
  std::error_code failure;
  fs::create_directories(folder, failure);
  if (failure)
    throw tessera::error::Io(
        fmt::format("--out {}: cannot be created: {}", folder, failure.message()));
  if (access(folder.c_str(), W_OK | X_OK) != 0) {
    throw tessera::error::Io(fmt::format("--out {}: no permission to write into it", folder));
  }
}

void write_outcome(const Options& options, const Outcome& outcome) {
  const std::string& folder = options.out;
  write_pictures(folder, outcome);
  tessera::write_metrics_csv(folder + "/metrics.csv", outcome.rows);
  write_summary(folder + "/summary.json", options, outcome);
  if (options.save_npy) {
    tessera::write_npy(folder + "/x.npy", outcome.result.x.squeeze(0));
    tessera::write_npy(folder + "/truth.npy", outcome.truth.squeeze(0));
    tessera::write_npy(folder + "/measurements.npy", at::cat(outcome.measurements));
  }
}
