#include "scaling.hpp"

#include <ATen/Parallel.h>
#include <ATen/ops/full.h>
#include <ATen/ops/rand.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <limits>

#include "parts.hpp"
#include "problem.hpp"
#include "tessera/comm/host.hpp"
#include "tessera/comm/self.hpp"
#include "tessera/distributed/scaling_model.hpp"
#include "tessera/distributed/tiled_denoiser.hpp"
#include "tessera/fidelity/l2.hpp"
#include "tessera/prior/plug_and_play.hpp"
#include "tessera/run/memory.hpp"
#include "tessera/solver/pnp.hpp"

using namespace tessera;

namespace {

/// Stands in for a denoiser that takes no time.
class Nothing final : public Denoiser {
 public:
  std::string name() const override { return "nothing"; }

 private:
  Tensor do_denoise(const Tensor& x, const NoiseLevel& /*sigma*/) const override { return x; }
};

/// The fastest of `rounds` calls, in seconds, after one to warm up.
template <typename Work>
double best_time(int rounds, Work&& work) {
  double best = std::numeric_limits<double>::infinity();
  for (int round = 0; round <= rounds; ++round) {
    const auto start = std::chrono::steady_clock::now();
    work();
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    if (round > 0) best = std::min(best, seconds);
  }
  return best;
}

double denoising_time(const Options& options, const Denoiser& denoiser, std::int64_t side) {
  const Tensor x = at::rand({1, 3, side, side}).to(device(options), scalar_type(options));
  return best_time(3, [&] { synchronize(denoiser.denoise(x, options.denoiser_sigma)); });
}

/// One iteration with everything but the denoiser: gradient, update, tiles cut and put together,
/// stopping rule.
double rest_of_iteration(const Options& options, at::IntArrayRef shape) {
  const Tensor x = at::full(shape, 0.5).to(device(options), scalar_type(options));
  // The fused gradient costs the same for any number of blurs.
  const LinearPhysicsPtr physics = make_blur(options, 0);
  const L2 fidelity(physics, {x}, x);
  const auto tiled = std::make_shared<TiledDenoiser>(
      std::make_shared<Nothing>(), self_communicator(), TilingOptions{.minimum_tiles = 4});
  const PlugAndPlay prior = PlugAndPlay::fixed(tiled, options.denoiser_sigma);
  PnPOptions once{.step = 0.1};
  once.stopping.max_iterations = 1;
  const PnP<L2, PlugAndPlay> solver(fidelity, prior, once);
  return best_time(3, [&] { synchronize(solver.solve(x).x); });
}

MachineCosts measure(const Options& options, const Denoiser& denoiser, at::IntArrayRef shape) {
  constexpr std::int64_t small = 192;
  constexpr std::int64_t large = 512;
  MachineCosts costs;
  const at::Device where = device(options);
  reset_memory_peak(where);
  const double before_mb = memory_use(where).allocated_mb;
  costs.replicated_s = rest_of_iteration(options, shape);
  const double peak_mb = memory_use(where).peak_mb;
  if (before_mb > 0 && peak_mb >= before_mb) {  // known
    costs.process_bytes = before_mb * 1024 * 1024;
    costs.replicated_bytes = (peak_mb - before_mb) * 1024 * 1024;
  }
  const double small_s = denoising_time(options, denoiser, small);
  const double large_s = denoising_time(options, denoiser, large);
  constexpr auto small_pixels = static_cast<double>(small * small);
  constexpr auto large_pixels = static_cast<double>(large * large);
  // The line through both, unless the clock says that the small tile is the cheaper per pixel.
  costs.denoise_s_per_pixel =
      std::min((large_s - small_s) / (large_pixels - small_pixels), large_s / large_pixels);
  costs.denoise_s_per_tile = large_s - costs.denoise_s_per_pixel * large_pixels;
  costs.bandwidth_bytes_per_s = options.bandwidth_gb_per_s * 1e9;
  costs.latency_s = options.latency_us * 1e-6;
  return costs;
}

/// The tiles of a run on `ranks` ranks; one tile where such a run would not tile.
TilePlan plan_for(const Options& options, const DenoiserPtr& denoiser, at::IntArrayRef shape,
                  int ranks) {
  if (!options.distribute_denoiser.value_or(ranks > 1))
    return TilePlan::even(shape.slice(2).vec(), {});
  TilingOptions tiling = tiling_options(options);
  tiling.ranks = ranks;
  const TiledDenoiser tiled(denoiser, self_communicator(), tiling);
  return tiled.plan(shape, static_cast<std::int64_t>(c10::elementSize(scalar_type(options))));
}

}  // namespace

std::string plan_run(Options& options) {
  const c10::InferenceMode no_gradients;
  tessera::share_cores(*tessera::self_communicator(), options.threads);
  const DenoiserPtr denoiser = make_network(options);
  const std::vector<std::int64_t> shape = truth_shape(options, read_source(options));
  const MachineCosts costs = measure(options, *denoiser, shape);

  Workload workload;
  workload.bytes_per_element = static_cast<std::int64_t>(c10::elementSize(scalar_type(options)));
  workload.operators = options.num_operators;
  const auto predict_on = [&](const TilePlan& plan, int ranks) {
    workload.shares_operators = options.distribute_physics.value_or(ranks > 1);
    std::vector<std::int64_t> window =
        plan.costs({.ranks = ranks, .bytes_per_element = workload.bytes_per_element})
            .largest_window;
    const auto pixels = static_cast<double>(window[0] * window[1]);
    window.insert(window.begin(), {1, workload.channels});
    workload.working_elements_per_pixel = denoiser->memory_estimate(window).value_or(0) / pixels;
    return predict(plan, ranks, costs, workload);
  };
  const ScalingRow single = predict_on(TilePlan::even({shape[2], shape[3]}, {}), 1);
  std::vector<ScalingRow> rows;
  for (const int ranks : options.ranks)
    rows.push_back(predict_on(plan_for(options, denoiser, shape, ranks), ranks));
  const ScalingTitle title{
      .problem = fmt::format("--solver pnp --fidelity l2, image {}x{}, {}, tiling {}", shape[3],
                             shape[2], denoiser->name(), options.tiling),
      .threads = at::get_num_threads(),
      .settings = "--bandwidth, --latency"};
  return scaling_table(title, costs, single, rows);
}
