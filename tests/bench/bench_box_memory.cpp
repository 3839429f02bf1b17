// SPDX-License-Identifier: BSD-3-Clause
// How much memory a rank needs for plug-and-play with four blurs and total variation, float32: of
// an image in boxes, or, with --replicated 1, of one that every rank has whole, its operators and
// tiles shared out. Prints JSON: of the rank that needs most, the largest resident set after an
// image of 64 x 64 and after the one that was asked for, in MB of 2^20 bytes, and their difference.
// See docs/reference/performance.md.
//
//   mpiexec -n 4 bench_box_memory --size 8192 --iterations 2 --replicated 0

#include <ATen/Parallel.h>
#include <ATen/ops/rand.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tessera/comm/mpi.hpp"
#include "tessera/comm/run_guarded.hpp"
#include "tessera/denoiser/total_variation.hpp"
#include "tessera/distributed/boxed_stack.hpp"
#include "tessera/distributed/distributed_physics.hpp"
#include "tessera/distributed/sharded_denoiser.hpp"
#include "tessera/distributed/tiled_denoiser.hpp"
#include "tessera/fidelity/l2.hpp"
#include "tessera/prior/plug_and_play.hpp"
#include "tessera/run/memory.hpp"
#include "tessera/solver/pnp.hpp"

namespace {

using namespace tessera;

/// Four kernels of 5 x 5.
std::vector<Tensor> kernels() {
  std::vector<Tensor> all;
  for (int i = 0; i < 4; ++i) {
    const Tensor kernel = at::rand({1, 1, 5, 5}, at::kFloat);
    all.push_back(kernel / kernel.sum());
  }
  return all;
}

void restore(const L2& fidelity, const DenoiserPtr& denoiser, const Tensor& x0,
             std::int64_t iterations) {
  PnPOptions options{.step = 0.2};
  options.stopping.max_iterations = iterations;
  const PlugAndPlay prior = PlugAndPlay::fixed(denoiser, NoiseLevel(0.05));
  PnP(fidelity, prior, options).solve(x0);
}

void restore_boxes(const CommunicatorPtr& ranks, std::int64_t size, std::int64_t iterations,
                   const DenoiserPtr& denoiser, const TilingOptions& tiling) {
  const auto space = std::make_shared<BoxSpace>(ranks, Extents{size, size});
  const Extents box = space->local().extents();
  std::vector<BoxedOperatorPtr> blurs;
  for (const Tensor& kernel : kernels()) {
    blurs.push_back(boxed_blur(space, kernel, Padding::reflect));
  }
  const auto physics = std::make_shared<BoxedStack>(blurs);
  const Tensor x0 = at::rand({1, 1, box[0], box[1]}, at::kFloat);
  const L2 fidelity(physics, physics->forward(x0), x0);
  restore(fidelity, std::make_shared<ShardedDenoiser>(denoiser, space, tiling), x0, iterations);
}

void restore_replicated(const CommunicatorPtr& ranks, std::int64_t size, std::int64_t iterations,
                        const DenoiserPtr& denoiser, const TilingOptions& tiling) {
  const std::vector<Tensor> all = kernels();
  const auto physics = std::make_shared<DistributedPhysics>(
      static_cast<std::int64_t>(all.size()),
      [&](std::int64_t i) {
        return std::make_unique<Blur>(all[static_cast<std::size_t>(i)], Padding::reflect);
      },
      ranks);
  const Tensor x0 = at::rand({1, 1, size, size}, at::kFloat);
  const L2 fidelity(physics, physics->forward(x0), x0);
  restore(fidelity, std::make_shared<TiledDenoiser>(denoiser, ranks, tiling), x0, iterations);
}

int run(const CommunicatorPtr& ranks, std::map<std::string, std::int64_t>& options) {
  at::set_num_threads(1);
  const c10::InferenceMode no_gradients;
  const auto denoiser = std::make_shared<TotalVariation>(
      TotalVariationOptions{.relative_gap = 0, .max_iterations = 3});
  const auto work = options["--replicated"] == 1 ? restore_replicated : restore_boxes;
  const auto peak_after = [&](std::int64_t size, std::int64_t tiles) {
    work(ranks, size, options["--iterations"], denoiser,
         TilingOptions{.context = 8, .blend = 8, .minimum_tiles = tiles});
    double peak = memory_use(at::kCPU).peak_mb;
    ranks->control().all_reduce(&peak, 1, DataType::f64, Reduction::max);
    return peak;
  };
  const double before = peak_after(64, 1);
  const double after = peak_after(options["--size"], options["--tiles"]);
  if (ranks->is_root()) {
    fmt::print(
        "{{\"ranks\": {}, \"size\": {}, \"replicated\": {}, \"image_mb\": {:.1f}, "
        "\"peak_of_64_mb\": {:.1f}, \"peak_mb\": {:.1f}, \"added_mb\": {:.1f}}}\n",
        ranks->size(), options["--size"], options["--replicated"] == 1,
        static_cast<double>(options["--size"] * options["--size"]) * 4 / (1 << 20), before, after,
        after - before);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const MpiSession mpi(argc, argv);
  std::map<std::string, std::int64_t> options = {
      {"--size", 8192}, {"--iterations", 2}, {"--replicated", 0}, {"--tiles", 64}};
  for (int i = 1; i < argc; i += 2) {
    if (options.count(argv[i]) == 0 || i + 1 == argc) {
      fmt::print(stderr,
                 "bench_box_memory: options are --size, --iterations, --tiles and --replicated, "
                 "each with a number\n");
      return 2;
    }
    options[argv[i]] = std::atoll(argv[i + 1]);
  }
  const CommunicatorPtr ranks = mpi_communicator();
  return run_guarded(*ranks, "bench_box_memory", [&] { return run(ranks, options); });
}
