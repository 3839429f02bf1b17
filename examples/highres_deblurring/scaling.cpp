#include "scaling.hpp"

#include <ATen/ops/rand.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>

#include "parts.hpp"
#include "problem.hpp"
#include "tessera/comm/self.hpp"
#include "tessera/distributed/tiled_denoiser.hpp"
#include "tessera/fidelity/l2.hpp"
#include "tessera/physics/stacked.hpp"

using namespace tessera;

namespace {

constexpr int flags_per_iteration =
    3;  // before the gather, for the objective's sum, at the end of the iteration

/// The fastest of three calls, in seconds, after one to warm up.
template <typename Work>
double best_time(Work&& work) {
  double best = std::numeric_limits<double>::infinity();
  for (int round = 0; round < 4; ++round) {
    const auto start = std::chrono::steady_clock::now();
    synchronize(work());
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    if (round > 0) best = std::min(best, seconds);
  }
  return best;
}

}  // namespace

MachineCosts measure_costs(const Options& options, const Denoiser& denoiser) {
  constexpr std::int64_t side = 384;
  const auto pixels = static_cast<double>(side * side);
  const Tensor x = at::rand({1, 3, side, side}).to(device(options), scalar_type(options));
  Options small = options;
  small.image_size = side;
  const auto physics = std::make_shared<StackedPhysics>(
      small.num_operators, [&](std::int64_t index) { return make_blur(small, index); });
  const L2 fidelity(physics, physics->forward(x), x);
  MachineCosts costs;
  costs.denoise_s_per_pixel =
      best_time([&] { return denoiser.denoise(x, options.denoiser_sigma); }) / pixels;
  costs.gradient_s_per_pixel = best_time([&] { return fidelity.gradient(x); }) / pixels;
  costs.bandwidth_bytes_per_s = options.bandwidth_gb_per_s * 1e9;
  costs.latency_s = options.latency_us * 1e-6;
  return costs;
}

std::vector<ScalingRow> predict(const Options& options, const DenoiserPtr& denoiser,
                                at::IntArrayRef shape, const std::vector<int>& ranks,
                                const MachineCosts& costs) {
  const auto bytes_per_element = static_cast<std::int64_t>(c10::elementSize(scalar_type(options)));
  const auto pixels = static_cast<double>(shape[2] * shape[3]);
  const double working = denoiser->memory_estimate(shape).value_or(0) / pixels;
  std::vector<ScalingRow> rows;
  for (const int count : ranks) {
    TilingOptions tiling = tiling_options(options);
    tiling.ranks = count;
    const TiledDenoiser tiled(denoiser, self_communicator(), tiling);
    const TilePlan plan = tiled.plan(shape, bytes_per_element);
    const TileCosts tiles = plan.costs({.ranks = count,
                                        .batch = shape[0],
                                        .channels = shape[1],
                                        .bytes_per_element = bytes_per_element,
                                        .working_elements_per_pixel = working});
    const double share = static_cast<double>(count - 1) / count;
    const double hops = std::ceil(std::log2(count));
    ScalingRow row{.ranks = count, .tiles = tiles.tiles, .imbalance = tiles.imbalance};
    row.received_bytes = tiles.exchanged_bytes * share;
    row.peak_bytes = tiles.peak_bytes;
    row.gradient_s = costs.gradient_s_per_pixel * pixels;
    row.denoise_s = costs.denoise_s_per_pixel * tiles.imbalance * pixels / count;
    row.communication_s = (flags_per_iteration + 1) * hops * costs.latency_s +
                          row.received_bytes / costs.bandwidth_bytes_per_s;
    rows.push_back(row);
  }
  return rows;
}

std::string scaling_table(const std::vector<ScalingRow>& rows, const MachineCosts& costs,
                          at::IntArrayRef shape) {
  std::string text = fmt::format(
      "Image {}x{}. Measured here, per rank: denoiser {:.3g} us per pixel, gradient {:.3g} us per "
      "pixel.\n"
      "Assumed: {:.3g} GB/s and {:.3g} us latency between ranks; every rank has the cores, or the "
      "GPU, of this process.\n\n"
      "{:>6} {:>6} {:>9} {:>10} {:>10} {:>8} {:>9} {:>9} {:>8} {:>10}\n",
      shape[2], shape[3], costs.denoise_s_per_pixel * 1e6, costs.gradient_s_per_pixel * 1e6,
      costs.bandwidth_bytes_per_s * 1e-9, costs.latency_s * 1e6, "ranks", "tiles", "work/even",
      "gradient s", "denoise s", "comm s", "total s", "speed-up", "MB/iter", "memory MB");
  for (const ScalingRow& row : rows) {
    text += fmt::format(
        "{:>6} {:>6} {:>9.2f} {:>10.4f} {:>10.4f} {:>8.4f} {:>9.4f} {:>9.2f} {:>8.1f} {:>10.0f}\n",
        row.ranks, row.tiles, row.imbalance, row.gradient_s, row.denoise_s, row.communication_s,
        row.total_s(), rows.front().total_s() / row.total_s(), row.received_bytes * 1e-6,
        row.peak_bytes * 1e-6);
  }
  return text;
}
