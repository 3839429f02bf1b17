// SPDX-License-Identifier: BSD-3-Clause
#include "run.hpp"

#include <ATen/ops/zeros_like.h>
#include <c10/core/DeviceGuard.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "inputs.hpp"
#include "parts.hpp"
#include "problem.hpp"
#include "restart.hpp"
#include "tessera/comm/agreement.hpp"
#include "tessera/comm/counting.hpp"
#include "tessera/comm/host.hpp"
#include "tessera/core/error.hpp"
#include "tessera/distributed/distributed_physics.hpp"
#include "tessera/distributed/tiled_denoiser.hpp"
#include "tessera/fidelity/l2.hpp"
#include "tessera/prior/prior.hpp"
#include "tessera/run/checkpoint.hpp"
#include "tessera/run/progress.hpp"
#include "tessera/run/recorder.hpp"
#include "tessera/run/stop_on_signal.hpp"

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
      throw error::InvalidArgument(fmt::format(
          "rank {} of {} would have no work: there are {} operators and {} tiles. "
          "Start fewer ranks, or give {}",
          rank, ranks, options.num_operators, plan.tiles().size(),
          options.tiling == Tiling::even ? "a larger --image-size or more --num-operators"
                                         : "--tiling auto, which cuts for the number of ranks"));
    }
  }
}

Tensor starting_point(const Options& options, const LinearPhysics& physics,
                      const DataFidelity& fidelity, const Tensor& image, const TensorList& y) {
  if (options.init_method == InitMethod::zeros) return at::zeros_like(image);
  if (options.init_method == InitMethod::adjoint) {
    const auto* l2 = dynamic_cast<const L2*>(&fidelity);  // which has A^T y already
    const Tensor back_projection = l2 != nullptr ? l2->adjoint_of_data() : physics.adjoint(y);
    return back_projection / static_cast<double>(options.num_operators);
  }
  return physics.pseudo_inverse(y, {.tolerance = 1e-4, .max_iterations = 50});
}

/// Ranks that share nothing iterate each by itself, and would not stop together.
void check_can_be_resumed(const Options& options, int ranks) {
  if (ranks == 1 || *options.distribute_physics || *options.distribute_denoiser) return;
  throw error::InvalidArgument(
      "--checkpoint-every and --resume need ranks that share the work: start one rank, or leave "
      "out --no-distribute-physics or --no-distribute-denoiser");
}

double automatic_step(const Options& options, double norm_squared) {
  if (options.prior == PriorKind::red) return 1 / (norm_squared + options.red_weight);
  // Below 2 / ||A||^2 a step brings no two images further apart, and a longer one brings detail
  // faster. The mean brightness, where A^T A is largest, swings, unless it is right to begin with.
  return 1.6 / norm_squared;
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

using Observers = std::vector<std::reference_wrapper<Observer>>;

/// Progress on the first rank only, and only if wanted.
SolveResult solve(const Options& options, const Solver& solver, const SolverState& start,
                  Observers observers, const Recorder& recorder, bool is_root) {
  Progress progress(options.iterations, &recorder);
  if (is_root && !options.quiet) observers.emplace_back(progress);
  ObserverList all(std::move(observers));
  return solver.solve(start, all);
}

void say_where_it_begins(const Options& options, const SolverState& start,
                         const Checkpoint& checkpoint, int ranks) {
  const std::string path = checkpoint_path(options.out);
  if (start.iterations == 0) {
    fmt::print("There is no {}: the run begins anew\n", path);
    return;
  }
  fmt::print("Resumed after iteration {} from {}\n", start.iterations, path);
  if (checkpoint.ranks_before() == ranks) return;
  fmt::print("It was written by {} rank{}, now there {}: {}\n", checkpoint.ranks_before(),
             checkpoint.ranks_before() == 1 ? "" : "s",
             ranks == 1 ? "is 1" : fmt::format("are {}", ranks),
             options.tiling == Tiling::even ? "tiles are cut anew (--tiling auto), and the result "
                                              "depends a little on the cuts"
                                            : "equal to rounding where the tiles are the same");
}

/// A run that can be interrupted, and goes on where an earlier one stood.
void solve_with_checkpoint(const Options& options, const Solver& solver, const Tensor& x0,
                           Recorder& recorder, const CommunicatorPtr& world, StopOnSignal& signals,
                           Outcome& outcome) {
  CheckpointOptions settings{.observer = &recorder};
  if (options.checkpoint_every > 0) settings.every = options.checkpoint_every;
  settings.configuration = guarded(*world, "highres_deblurring", [&] {
    return identity_of_run(options, outcome.truth, outcome.inputs);
  });
  Checkpoint checkpoint(checkpoint_path(options.out), world, std::move(settings));
  SolverState start{.x = x0};
  if (options.resume) {
    start = checkpoint.resume(x0);
    if (world->is_root() && !options.quiet)
      say_where_it_begins(options, start, checkpoint, world->size());
  }
  outcome.result = solve(options, solver, start, {checkpoint, signals}, recorder, world->is_root());
  outcome.interrupted = outcome.result.reason == StopReason::observer &&
                        outcome.result.iterations < options.iterations;
}

/// Keeps what is to be told, and prints it on the first rank, whatever --quiet says. Every rank
/// finds the same.
void warn(Outcome& outcome, const std::string& text, bool is_root) {
  if (text.empty()) return;
  outcome.warnings.push_back(text);
  if (is_root) fmt::print(stderr, "highres_deblurring: warning: {}\n", text);
}

/// The longest step with which gradients bring no two images further apart.
double longest_step(const Options& options, double norm_squared) {
  return 2 / (norm_squared + (options.prior == PriorKind::red ? options.red_weight : 0));
}

std::string words_for_longest_step(const Options& options, double norm_squared) {
  return fmt::format(
      "{:.4g}, which is 2 / {} with ||A||^2 = {:.4g}", longest_step(options, norm_squared),
      options.prior == PriorKind::red ? "(||A||^2 + --red-weight)" : "||A||^2", norm_squared);
}

std::string step_warning(const Options& options, const Outcome& outcome) {
  constexpr double rounding = 1 + 1e-6;
  const double limit = longest_step(options, outcome.norm_squared);
  if (options.solver == SolverKind::dpir || outcome.step_size <= rounding * limit) return "";
  return fmt::format(
      "the step {} is longer than {}: iterations swing and the result is poor. Give a shorter "
      "--step-size, or auto",
      outcome.step_size, words_for_longest_step(options, outcome.norm_squared));
}

/// Throws if not one iteration was finite: there is no result.
void check_has_rows(const Options& options, const Outcome& outcome, const Recorder& recorder) {
  if (!recorder.rows().empty()) return;
  const bool is_long = options.solver != SolverKind::dpir &&
                       outcome.step_size > longest_step(options, outcome.norm_squared);
  throw error::InvalidArgument(fmt::format(
      "the first iteration is not finite{}",
      is_long
          ? fmt::format(": the step is too large, {}, longer than {}", outcome.step_size,
                        words_for_longest_step(options, outcome.norm_squared))
          : ", although the data are: the denoiser or a parameter of the method made it overflow"));
}

/// Those of this rank's operators: simulated, or read.
TensorList make_measurements(const Options& options, const LinearPhysics& physics, bool is_root,
                             Outcome& outcome) {
  if (options.measurements.empty()) return physics.measure(outcome.truth);
  Measurements measurements = read_measurements(options, physics.held(), outcome.truth);
  warn(outcome, measurements.warning, is_root);
  return std::move(measurements.held);
}

}  // namespace

Outcome run(Options& options, const CommunicatorPtr& world) {
  const c10::InferenceMode no_gradients;
  const auto start = std::chrono::steady_clock::now();
  const bool several = world->size() > 1;
  options.distribute_physics = options.distribute_physics.value_or(several);
  options.distribute_denoiser = options.distribute_denoiser.value_or(several);
  std::optional<StopOnSignal> signals;
  if (keeps_checkpoint(options)) {
    check_can_be_resumed(options, world->size());
    signals.emplace();
  }

  Outcome outcome;
  guarded(*world, "highres_deblurring", [&] { check_threads(options); });
  outcome.threads = share_cores(*world, options.threads);
  const auto [backend, gpu] =
      restoration::choose_place(world, "highres_deblurring", options.device, options.backend);
  options.gpu = gpu;
  outcome.backend = backend->name();
  const c10::OptionalDeviceGuard on_device(device(options));

  Inputs inputs = read_inputs(options, *world);
  outcome.inputs = inputs.digests;
  outcome.samples = inputs.source.samples;
  for (const std::string& text : inputs.source.warnings) warn(outcome, text, world->is_root());
  outcome.truth = guarded(*world, "highres_deblurring",
                          [&] { return make_truth(options, std::exchange(inputs.source, {})); });
  // Work queued on a GPU is waited for, so that it is not taken for communication.
  const auto ranks = std::make_shared<CountingCommunicator>(
      backend, options.device == at::kCPU ? std::function<void()>()
                                          : [x = outcome.truth] { synchronize(x); });
  const LinearPhysicsPtr physics = make_physics(options, ranks);
  outcome.operators_per_rank = operators_per_rank(*physics, world->size());
  DenoiserPtr denoiser = inputs.network;
  guarded(*world, "highres_deblurring", [&] {
    outcome.measurements = make_measurements(options, *physics, world->is_root(), outcome);
    if (*options.distribute_denoiser) {
      const auto tiled = std::make_shared<TiledDenoiser>(denoiser, ranks, tiling_options(options));
      outcome.plan = tiled->plan(outcome.truth.sizes(), outcome.truth.element_size());
      outcome.tiling = tiled->summary(outcome.truth.sizes(), outcome.truth.element_size());
      check_every_rank_works(options, *physics, tiled.get(), outcome.truth, world->size());
      denoiser = tiled;
    }
  });

  const DataFidelityPtr fidelity =
      make_fidelity(options, physics, outcome.measurements, outcome.truth);
  const PriorPtr prior = make_prior(options, denoiser);
  outcome.norm_squared = physics->norm_squared(outcome.truth);
  outcome.step_size = options.step_size.value_or(automatic_step(options, outcome.norm_squared));
  warn(outcome, step_warning(options, outcome), world->is_root());
  const std::unique_ptr<Solver> solver = make_solver(options, *fidelity, *prior, outcome.step_size);
  const Tensor x0 =
      starting_point(options, *physics, *fidelity, outcome.truth, outcome.measurements);
  outcome.setup_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();

  const auto recorder = std::make_shared<Recorder>(
      RecorderOptions{.truth = outcome.truth,
                      .objective = [&](const Tensor& x) { return fidelity->value(x); },
                      .compare = world->is_root(),
                      .traffic = ranks,
                      .warmup = options.warmup});
  if (signals) {
    solve_with_checkpoint(options, *solver, x0, *recorder, world, *signals, outcome);
  } else {
    for (std::int64_t repetition = 0; repetition < options.repetitions; ++repetition) {
      outcome.result = solve(options, *solver, {.x = x0}, {*recorder}, *recorder, world->is_root());
      if (outcome.result.reason == StopReason::not_finite) break;
    }
  }
  check_has_rows(options, outcome, *recorder);
  outcome.recorder = recorder;
  if (const auto* shared = dynamic_cast<const DistributedPhysics*>(physics.get());
      shared && options.save_npy) {
    outcome.measurements = shared->gather(outcome.measurements);
  }
  return outcome;
}
