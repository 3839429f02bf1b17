// SPDX-License-Identifier: BSD-3-Clause
#include "run.hpp"

#include <ATen/ops/zeros_like.h>
#include <c10/core/DeviceGuard.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>

#include <cmath>
#include <map>
#include <memory>
#include <utility>

#include "restoration/supervised_run.hpp"
#include "scan.hpp"
#include "settings/views.hpp"
#include "tessera/comm/host.hpp"
#include "tessera/core/check.hpp"
#include "tessera/core/error.hpp"
#include "tessera/fidelity/l2.hpp"
#include "tessera/io/digest.hpp"
#include "tessera/io/npy.hpp"
#include "tessera/metric/psnr.hpp"
#include "tessera/physics/finite_differences.hpp"
#include "tessera/prior/box_prior.hpp"
#include "tessera/prior/l1_prior.hpp"
#include "tessera/prior/plug_and_play.hpp"
#include "tessera/solver/hqs.hpp"
#include "tessera/solver/log_spaced.hpp"
#include "tessera/solver/pnp.hpp"
#include "tessera/solver/primal_dual.hpp"

using namespace tessera;
using restoration::SupervisedRun;

namespace {

constexpr std::pair intensities = {0.0, 1.0};

/// Of hqs: the next level corrects what they leave.
constexpr ConjugateGradientOptions inner_solves{
    .tolerance = 1e-4, .max_iterations = 30, .unconverged = Unconverged::accept};

/// The data of the parts that this rank holds: simulated, or read.
TensorList make_measurements(const Options& options, const LinearPhysics& physics,
                             const Tensor& truth) {
  if (options.measurements.empty()) return physics.measure(truth);
  const Tensor all = read_npy(options.measurements).to(truth.options());
  check_finite(all, "--measurements " + options.measurements, "the file");
  TensorList held;
  for (const std::int64_t index : physics.held()) {
    held.push_back(all.slice(0, index, std::nullopt, options.num_operators)
                       .contiguous()
                       .unsqueeze(0)
                       .unsqueeze(0));
  }
  return held;
}

/// Goes part of the way of another prior's proximal operator P: (z + weight P(z)) / (1 + weight).
class Relaxed final : public Prior {
 public:
  Relaxed(PriorPtr prior, double weight) : prior_(std::move(prior)), weight_(weight) {}
  std::string name() const override { return "relaxed(" + prior_->name() + ")"; }
  bool follows_step() const override { return prior_->follows_step(); }
  Communicator& communicator() const override { return prior_->communicator(); }
  const ImageSpace& space() const override { return prior_->space(); }

 private:
  Tensor do_prox(const Tensor& z, double step) const override {
    return (z + weight_ * prior_->prox(z, step)) / (1 + weight_);
  }

  PriorPtr prior_;
  double weight_;
};

/// What the fidelity and the prior of a run are, and its solver, which refers to them.
struct Method {
  DataFidelityPtr fidelity;
  PriorPtr prior;
  std::unique_ptr<Solver> solver;
};

Method make_method(const Options& options, LinearPhysicsPtr physics, DenoiserPtr denoiser,
                   const restoration::Outcome& outcome) {
  Method method;
  const bool has_objective = options.solver == SolverKind::primal_dual;
  method.fidelity = std::make_shared<L2>(std::move(physics), outcome.measurements, outcome.truth,
                                         L2Options{.sigma = has_objective ? options.noise_level : 1,
                                                   .conjugate_gradient = inner_solves});
  const StoppingRules stopping{.max_iterations = options.iterations};
  if (has_objective) {
    const MappedPrior variation{std::make_shared<FiniteDifferences>(),
                                std::make_shared<GroupL1Prior>(), options.tv_weight};
    method.solver = std::make_unique<PrimalDual>(
        *method.fidelity, std::vector{variation},
        std::make_shared<BoxPrior>(intensities.first, intensities.second),
        PrimalDualOptions{.ratio = outcome.norm_squared / std::pow(options.noise_level, 2),
                          .stopping = stopping});
    return method;
  }
  method.prior = std::make_shared<PlugAndPlay>(PlugAndPlay::matched(std::move(denoiser)));
  if (options.solver == SolverKind::pnp && options.lambda_relaxation) {
    method.prior =
        std::make_shared<Relaxed>(method.prior, outcome.step_size * *options.lambda_relaxation);
  }
  const std::vector<double> levels =
      log_spaced(options.denoiser_sigma_start, options.denoiser_sigma, options.iterations);
  if (options.solver == SolverKind::pnp) {
    PnPOptions pnp{.step = outcome.step_size, .denoiser_sigma = levels};
    pnp.clamp_range = intensities;
    pnp.stopping = stopping;
    method.solver =
        std::make_unique<PnP<DataFidelity, Prior>>(*method.fidelity, *method.prior, pnp);
    return method;
  }
  HqsOptions hqs;
  hqs.schedule.denoiser_sigma = levels;
  for (const double level : levels) {
    hqs.schedule.gamma.push_back(std::pow(level / options.noise_level, 2) / options.prior_weight);
  }
  hqs.clamp_range = intensities;
  method.solver = std::make_unique<HQS<DataFidelity, Prior>>(*method.fidelity, *method.prior, hqs);
  return method;
}

/// What must be the same for a run to go on: everything that the image depends on, with the
/// contents of files.
std::map<std::string, std::string> identity_of_run(const Options& options,
                                                   const restoration::Outcome& outcome) {
  std::map<std::string, std::string> identity = settings::identity_of(table(), options);
  identity.merge(restoration::contents_of(outcome));
  return identity;
}

}  // namespace

DenoiserPtr make_network(Options& options) {
  return restoration::make_denoiser(options.denoiser, options.weights,
                                    restoration::device_of(options.device, options.gpu),
                                    DefaultWeights::drunet_grey, options.is_volume() ? 3 : 2);
}

restoration::MemoryNeed plan_of_rank(const Options& options, at::IntArrayRef image,
                                     const DenoiserPtr& denoiser, int ranks) {
  restoration::MemoryQuestion question{
      .image = image.vec(),
      .bytes_per_element = static_cast<std::int64_t>(c10::elementSize(options.dtype)),
      .ranks = ranks,
      .denoiser = denoiser,
      .weights = options.weights,
      .tiling = {},
      .denoised = {},
      .images = options.solver == SolverKind::primal_dual ? 24.0 : 12.0};
  if (options.distribute_denoiser.value_or(ranks > 1)) question.tiling = tiling_options(options);
  return restoration::memory_need(question);
}

std::string advice_on_memory(const Options& /*options*/) {
  return "Give a smaller --image-size, or more hosts";
}

restoration::Outcome run(Options& options, const CommunicatorPtr& world) {
  const c10::InferenceMode no_gradients;
  options.distribute_physics = options.distribute_physics.value_or(world->size() > 1);
  options.distribute_denoiser = options.distribute_denoiser.value_or(world->size() > 1);
  SupervisedRun run(restoration::run_options(options, command_line().name, options.iterations),
                    world);
  restoration::Outcome& outcome = run.outcome();
  options.gpu = run.gpu();
  const c10::OptionalDeviceGuard on_device(run.device());

  const int ranks_here = ranks_of_host(*world);
  DenoiserPtr denoiser;
  const std::unique_ptr<Scan> scan = run.together([&] {
    denoiser = make_network(options);
    outcome.inputs = restoration::digests_of(settings::files_named(table(), options));
    outcome.truth = make_truth(options).to(run.device(), options.dtype).contiguous();
    if (options.device == at::kCPU) {
      restoration::check_memory(
          plan_of_rank(options, outcome.truth.sizes(), denoiser, world->size()), ranks_here,
          fmt::format("for an image of {} pixels along a side", options.image_size),
          advice_on_memory(options));
    }
    return make_scan(options, outcome.truth.sizes().slice(2));
  });
  restoration::check_same_files(run.world(), command_line().name, outcome.inputs);
  const LinearPhysicsPtr physics = restoration::make_physics(
      *options.distribute_physics, options.num_operators,
      [&](std::int64_t index) { return scan->part(index); }, run.ranks());
  outcome.operators_per_rank = restoration::operators_per_rank(*physics, world->size());
  run.together([&] {
    outcome.measurements = make_measurements(options, *physics, outcome.truth);
    if (!*options.distribute_denoiser) return;
    const auto tiled = run.shared_by_tiles(denoiser, tiling_options(options));
    restoration::check_every_rank_works(*physics, *tiled, outcome.truth.sizes(), world->size());
    denoiser = tiled;
  });
  const Tensor linear = scan->linear(*physics, outcome.measurements, outcome.truth);
  if (!outcome.measurements.empty()) {
    outcome.pictures.push_back(scan->picture(outcome.measurements.front()));
  }
  outcome.pictures.push_back({scan->linear_name(), linear});
  outcome.compared = fmt::format("{}: PSNR {:.2f} dB", scan->linear_name(),
                                 psnr(linear.clamp(0, 1), outcome.truth).item<double>());
  if (options.solver != SolverKind::hqs) {  // which has no step to choose
    outcome.norm_squared = physics->norm_squared(outcome.truth);
    outcome.step_size = options.step_size.value_or(1.6 / outcome.norm_squared);
  }
  const Method method = make_method(options, physics, denoiser, outcome);
  const Tensor x0 =
      options.init_method == InitMethod::zeros ? at::zeros_like(outcome.truth) : linear.clamp(0, 1);
  run.solve(*method.solver, x0, *method.fidelity, std::nullopt,
            [&] { return identity_of_run(options, outcome); });
  if (options.save_npy) run.gather_measurements(*physics);
  return outcome;
}

restoration::Telling telling_of(const Options& options, const restoration::Outcome& outcome) {
  std::map<std::string, SettingValue> settled = {{"backend", outcome.backend},
                                                 {"threads", std::int64_t{outcome.threads}}};
  if (options.solver == SolverKind::pnp) settled["step_size"] = outcome.step_size;
  return {.program = command_line().name,
          .folder = options.out,
          .method = fmt::format("{}: {}", settings::name_of(options.problem),
                                settings::name_of(options.solver)),
          .configuration = settings::summary_values(table(), options, settled),
          .arguments = options.arguments,
          .save_npy = options.save_npy,
          .has_report = !options.no_report,
          .quiet = options.quiet};
}
