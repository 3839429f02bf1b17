#include "run.hpp"

#include <ATen/Parallel.h>
#include <ATen/ops/zeros_like.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>

#include <chrono>
#include <memory>

#include "parts.hpp"
#include "problem.hpp"
#include "ranks.hpp"
#include "tessera/comm/agreement.hpp"
#include "tessera/comm/counting.hpp"
#include "tessera/core/error.hpp"
#include "tessera/distributed/distributed_physics.hpp"
#include "tessera/distributed/tiled_denoiser.hpp"
#include "tessera/fidelity/l2.hpp"
#include "tessera/prior/plug_and_play.hpp"
#include "tessera/report/progress.hpp"
#include "tessera/report/recorder.hpp"

using namespace tessera;

namespace {

/// Throws on every rank, with the same message, if some rank has neither an operator nor a tile.
void check_every_rank_works(const Options& options, const LinearPhysics& physics,
                            const TiledDenoiser* tiled, const Tensor& truth, int ranks) {
  if (ranks == 1) return;
  const auto* shared = dynamic_cast<const DistributedPhysics*>(&physics);
  if (shared == nullptr || tiled == nullptr) return;  // what is not shared is done by every rank
  const TilePlan plan = tiled->plan(truth.sizes());
  const Partition tiles = plan.assign(ranks);
  for (int rank = 0; rank < ranks; ++rank) {
    if (shared->partition().of(rank).empty() && tiles.of(rank).empty()) {
      throw error::InvalidArgument(
          fmt::format("rank {} of {} would have no work: there are {} operators and {} tiles. "
                      "Start fewer ranks, or give "
                      "--tiling auto, which makes a tile for every rank",
                      rank, ranks, options.num_operators, plan.tiles().size()));
    }
  }
}

Tensor starting_point(const Options& options, const LinearPhysics& physics, const L2& fidelity,
                      const TensorList& y) {
  const Tensor& back_projection = fidelity.adjoint_of_data();
  if (options.init_method == "zeros") return at::zeros_like(back_projection);
  if (options.init_method == "adjoint")
    return back_projection / static_cast<double>(options.num_operators);
  return physics.pseudo_inverse(y, {.tolerance = 1e-4, .max_iterations = 50});
}

/// How many operators each rank has.
std::vector<std::int64_t> operators_per_rank(const LinearPhysics& physics, int ranks) {
  std::vector<std::int64_t> counts(static_cast<std::size_t>(ranks), physics.operator_count());
  if (const auto* shared = dynamic_cast<const DistributedPhysics*>(&physics)) {
    for (int rank = 0; rank < ranks; ++rank) {
      counts[static_cast<std::size_t>(rank)] =
          static_cast<std::int64_t>(shared->partition().of(rank).size());
    }
  }
  return counts;
}

/// Progress on the first rank only, and only if wanted.
SolveResult solve(const Options& options, const Solver& solver, const Tensor& x0,
                  Recorder& recorder, bool is_root) {
  if (!is_root || options.quiet) return solver.solve(x0, recorder);
  Progress progress(options.iterations, &recorder);
  ObserverList both({recorder, progress});
  return solver.solve(x0, both);
}

}  // namespace

Outcome run(Options& options, const CommunicatorPtr& world) {
  const c10::InferenceMode no_gradients;
  const auto start = std::chrono::steady_clock::now();
  const bool several = world->size() > 1;
  options.distribute_physics = options.distribute_physics.value_or(several);
  options.distribute_denoiser = options.distribute_denoiser.value_or(several);

  Outcome outcome;
  outcome.threads = threads_per_rank(options.threads, gather_hosts(*world), world->rank());
  at::set_num_threads(outcome.threads);

  outcome.truth = guarded(*world, "highres_deblurring", [&] {
    if (world->is_root()) prepare_folder(options.out);
    return make_truth(options);
  });
  // Work queued on a GPU is waited for, so that it is not taken for communication.
  const auto ranks = std::make_shared<CountingCommunicator>(
      world,
      options.device == "cpu" ? std::function<void()>() : [x = outcome.truth] { synchronize(x); });
  const LinearPhysicsPtr physics = make_physics(options, ranks);
  outcome.operators_per_rank = operators_per_rank(*physics, world->size());
  DenoiserPtr denoiser;
  guarded(*world, "highres_deblurring", [&] {
    denoiser = make_network(options);
    outcome.measurements = options.measurements.empty()
                               ? physics->measure(outcome.truth)
                               : read_measurements(options, physics->held(), outcome.truth);
    if (*options.distribute_denoiser) {
      const auto tiled = std::make_shared<TiledDenoiser>(denoiser, ranks, tiling_options(options));
      outcome.plan = tiled->plan(outcome.truth.sizes(), outcome.truth.element_size());
      outcome.tiling = tiled->summary(outcome.truth.sizes(), outcome.truth.element_size());
      check_every_rank_works(options, *physics, tiled.get(), outcome.truth, world->size());
      denoiser = tiled;
    }
  });

  const L2 fidelity(physics, outcome.measurements, outcome.truth);
  const PlugAndPlay prior = options.solver == "dpir"
                                ? PlugAndPlay::matched(denoiser)
                                : PlugAndPlay::fixed(denoiser, options.denoiser_sigma);
  outcome.norm_squared = physics->norm_squared(outcome.truth);
  outcome.step_size = options.step_size.value_or(1.0 / outcome.norm_squared);
  const std::unique_ptr<Solver> solver = make_solver(options, fidelity, prior, outcome.step_size);
  const Tensor x0 = starting_point(options, *physics, fidelity, outcome.measurements);
  outcome.setup_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();

  const auto recorder = std::make_shared<Recorder>(
      RecorderOptions{.truth = outcome.truth,
                      .objective = [&](const Tensor& x) { return fidelity.value(x); },
                      .compare = world->is_root(),
                      .traffic = ranks,
                      .warmup = options.warmup});
  for (std::int64_t repetition = 0; repetition < options.repetitions; ++repetition) {
    outcome.result = solve(options, *solver, x0, *recorder, world->is_root());
  }
  outcome.recorder = recorder;
  if (const auto* shared = dynamic_cast<const DistributedPhysics*>(physics.get());
      shared && options.save_npy) {
    outcome.measurements = shared->gather(outcome.measurements);
  }
  return outcome;
}
