// SPDX-License-Identifier: BSD-3-Clause
#include "restoration/machine_costs.hpp"

#include <ATen/ops/rand.h>

#include <algorithm>
#include <chrono>
#include <limits>

#include "tessera/fidelity/l2.hpp"
#include "tessera/prior/plug_and_play.hpp"
#include "tessera/run/memory.hpp"
#include "tessera/solver/pnp.hpp"

namespace restoration {

using namespace tessera;

namespace {

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

double denoising_time(const Denoiser& denoiser, double sigma, const Tensor& image,
                      std::int64_t side) {
  const Tensor x = at::rand({1, image.size(1), side, side}).to(image.options());
  return best_time(3, [&] { synchronize(denoiser.denoise(x, sigma)); });
}

/// One iteration with everything but the denoiser: gradient, update, tiles cut and put together,
/// stopping rule.
double rest_of_iteration(const LinearPhysicsPtr& physics, const Tensor& x,
                         const DenoiserPtr& idle) {
  const L2 fidelity(physics, physics->forward(x), x);
  const PlugAndPlay prior = PlugAndPlay::fixed(idle, 0.01);
  PnPOptions once{.step = 0.1};
  once.stopping.max_iterations = 1;
  const PnP<L2, PlugAndPlay> solver(fidelity, prior, once);
  return best_time(3, [&] { synchronize(solver.solve(x).x); });
}

}  // namespace

MachineCosts machine_costs(const LinearPhysicsPtr& physics, const Denoiser& denoiser, double sigma,
                           const Tensor& image, const DenoiserPtr& idle) {
  constexpr std::int64_t small = 192;
  constexpr std::int64_t large = 512;
  MachineCosts costs;
  const at::Device where = image.device();
  reset_memory_peak(where);
  const double before_mb = memory_use(where).allocated_mb;
  costs.replicated_s = rest_of_iteration(physics, image, idle);
  const double peak_mb = memory_use(where).peak_mb;
  if (before_mb > 0 && peak_mb >= before_mb) {  // known
    costs.process_bytes = before_mb * 1024 * 1024;
    costs.replicated_bytes = (peak_mb - before_mb) * 1024 * 1024;
  }
  const double small_s = denoising_time(denoiser, sigma, image, small);
  const double large_s = denoising_time(denoiser, sigma, image, large);
  constexpr auto small_pixels = static_cast<double>(small * small);
  constexpr auto large_pixels = static_cast<double>(large * large);
  // The line through both, unless the clock says that the small tile is the cheaper per pixel.
  costs.denoise_s_per_pixel =
      std::min((large_s - small_s) / (large_pixels - small_pixels), large_s / large_pixels);
  costs.denoise_s_per_tile = large_s - costs.denoise_s_per_pixel * large_pixels;
  return costs;
}

}  // namespace restoration
