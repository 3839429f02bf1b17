// SPDX-License-Identifier: BSD-3-Clause
#include "restoration/supervised_run.hpp"

#include <ATen/ops/empty.h>
#include <fmt/format.h>

#include <cstdio>
#include <utility>
#include <vector>

#include "tessera/comm/host.hpp"
#include "tessera/core/error.hpp"
#include "tessera/distributed/distributed_physics.hpp"
#include "tessera/run/checkpoint.hpp"
#include "tessera/run/progress.hpp"

namespace restoration {

using namespace tessera;

namespace {

/// Throws error::InvalidArgument for so many threads that the run would crawl or could not start.
void check_threads(int threads) {
  constexpr int most_per_core = 8;
  const int cores = usable_cores();
  if (threads <= most_per_core * cores) return;
  throw error::InvalidArgument(
      fmt::format("--threads: is {}, expected at most {} per core; this host has {} cores", threads,
                  most_per_core, cores));
}

/// Where a run begins that was to go on with a checkpoint.
std::string beginning(const RunOptions& options, const SolverState& start, int ranks_before,
                      int ranks) {
  const std::string path = checkpoint_path(options.folder);
  if (start.iterations == 0) return fmt::format("There is no {}: the run begins anew\n", path);
  std::string text = fmt::format("Resumed after iteration {} from {}\n", start.iterations, path);
  if (ranks_before == ranks) return text;
  return text + fmt::format("It was written by {} rank{}, now there {}: {}\n", ranks_before,
                            ranks_before == 1 ? "" : "s",
                            ranks == 1 ? "is 1" : fmt::format("are {}", ranks),
                            options.with_other_ranks);
}

[[noreturn]] void throw_not_finite(double step, const std::optional<StepLimit>& limit) {
  throw error::InvalidArgument(fmt::format(
      "the first iteration is not finite{}",
      limit && step > limit->longest()
          ? fmt::format(": the step is too large, {}, longer than {}", step, limit->words())
          : ", although the data are: the denoiser or a parameter of the method made it overflow"));
}

}  // namespace

std::string checkpoint_path(const std::string& folder) {
  return folder + "/checkpoint.safetensors";
}

SupervisedRun::SupervisedRun(RunOptions options, CommunicatorPtr world)
    : options_(std::move(options)), world_(std::move(world)) {
  if (options_.keeps_checkpoint()) {
    if (world_->size() > 1 && !options_.shares_work) {
      throw error::InvalidArgument(
          "--checkpoint-every and --resume need ranks that share the work: start one rank, or "
          "leave out --no-distribute-physics or --no-distribute-denoiser");
    }
    signals_.emplace();
  }
  together([&] { check_threads(options_.threads); });
  outcome_.threads = share_cores(*world_, options_.threads);
  const auto [backend, gpu] =
      choose_place(world_, options_.program, options_.device, options_.backend);
  gpu_ = gpu;
  outcome_.backend = backend->name();
  const auto wait = [x = at::empty({0}, at::TensorOptions(device()))] { synchronize(x); };
  counting_ = std::make_shared<CountingCommunicator>(
      backend, options_.device == at::kCPU ? std::function<void()>() : wait);
}

void SupervisedRun::warn(const std::string& text) {
  if (text.empty()) return;
  outcome_.warnings.push_back(text);
  if (world_->is_root()) fmt::print(stderr, "{}: warning: {}\n", options_.program, text);
}

std::shared_ptr<const TiledDenoiser> SupervisedRun::shared_by_tiles(DenoiserPtr network,
                                                                    const TilingOptions& tiling) {
  auto tiled = std::make_shared<TiledDenoiser>(std::move(network), ranks(), tiling);
  const Tensor& truth = outcome_.truth;
  outcome_.plan = tiled->plan(truth.sizes(), truth.element_size());
  outcome_.tiling = tiled->summary(truth.sizes(), truth.element_size());
  return tiled;
}

void SupervisedRun::gather_measurements(const LinearPhysics& physics) {
  const auto* shared = dynamic_cast<const DistributedPhysics*>(&physics);
  if (shared != nullptr) outcome_.measurements = shared->gather(outcome_.measurements);
}

void SupervisedRun::solve(const Solver& solver, const Tensor& x0, const DataFidelity& fidelity,
                          const std::optional<StepLimit>& limit,
                          const std::function<std::map<std::string, std::string>()>& identity) {
  outcome_.guarantee = solver.guarantee();
  outcome_.setup_s =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  const auto recorder = std::make_shared<Recorder>(
      RecorderOptions{.truth = outcome_.truth,
                      .objective = [&](const Tensor& x) { return fidelity.value(x); },
                      .compare = world_->is_root() || outcome_.space,
                      .space = outcome_.space,
                      .traffic = counting_,
                      .warmup = options_.warmup});
  if (signals_) {
    solve_with_checkpoint(solver, x0, *recorder, fidelity.physics().held(), together(identity));
  } else {
    for (std::int64_t repetition = 0; repetition < options_.repetitions; ++repetition) {
      solve_from(solver, {.x = x0}, {*recorder}, *recorder);
      if (outcome_.result.reason == StopReason::not_finite) break;
    }
  }
  if (recorder->rows().empty()) throw_not_finite(outcome_.step_size, limit);
  outcome_.recorder = recorder;
}

/// Progress on the first rank only, and only if wanted.
void SupervisedRun::solve_from(const Solver& solver, const SolverState& start,
                               std::vector<std::reference_wrapper<Observer>> observers,
                               const Recorder& recorder) {
  Progress progress(options_.iterations, &recorder);
  if (world_->is_root() && !options_.quiet) observers.emplace_back(progress);
  ObserverList all(std::move(observers));
  outcome_.result = solver.solve(start, all);
}

void SupervisedRun::solve_with_checkpoint(const Solver& solver, const Tensor& x0,
                                          Recorder& recorder, std::vector<std::int64_t> held,
                                          std::map<std::string, std::string> identity) {
  CheckpointOptions settings{.configuration = std::move(identity),
                             .observer = &recorder,
                             .held = std::move(held),
                             .space = outcome_.space,
                             .measured_spaces = outcome_.measured_spaces};
  if (options_.checkpoint_every > 0) settings.every = options_.checkpoint_every;
  Checkpoint checkpoint(checkpoint_path(options_.folder), world_, std::move(settings));
  SolverState start{.x = x0};
  if (options_.resume) {
    start = checkpoint.resume(x0);
    if (world_->is_root() && !options_.quiet) {
      fmt::print("{}", beginning(options_, start, checkpoint.ranks_before(), world_->size()));
    }
  }
  solve_from(solver, start, {checkpoint, *signals_}, recorder);
  outcome_.interrupted = outcome_.result.reason == StopReason::observer &&
                         outcome_.result.iterations < options_.iterations;
}

}  // namespace restoration
