// SPDX-License-Identifier: BSD-3-Clause
#include "run.hpp"

#include <ATen/ops/full.h>
#include <ATen/ops/zeros_like.h>
#include <c10/core/DeviceGuard.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "boxes.hpp"
#include "parts.hpp"
#include "problem.hpp"
#include "restoration/arrays.hpp"
#include "restoration/boxed_parts.hpp"
#include "restoration/scaling.hpp"
#include "restoration/starting_point.hpp"
#include "restoration/supervised_run.hpp"
#include "settings/views.hpp"
#include "tessera/comm/host.hpp"
#include "tessera/comm/self.hpp"
#include "tessera/core/error.hpp"
#include "tessera/distributed/distributed_physics.hpp"
#include "tessera/distributed/tiled_denoiser.hpp"
#include "tessera/fidelity/l2.hpp"
#include "tessera/prior/prior.hpp"

using namespace tessera;
using restoration::SupervisedRun;

namespace {

/// What a run reads before it makes anything large.
struct Inputs {
  Source source;
  DenoiserPtr network;
  restoration::Digests digests;
};

/// A network of the user's own may know one level of noise: levels cannot fall then.
void settle_levels(Options& options, Inputs& inputs) {
  if (inputs.network->follows_level()) return;
  if (options.solver == SolverKind::dpir) {
    throw error::InvalidArgument(
        fmt::format("--denoiser: the network {} takes no level of noise, and --solver dpir needs "
                    "one that does; give --solver pnp",
                    options.weights));
  }
  if (!options.denoiser_sigma_start) return;
  options.denoiser_sigma_start.reset();
  inputs.source.warnings.push_back(
      fmt::format("the network {} takes no level of noise, so that levels do not fall from "
                  "iteration to iteration",
                  options.weights));
}

/// Every rank reads for itself; all must find the same, and have the memory for what follows.
Inputs read_inputs(Options& options, SupervisedRun& run) {
  const int ranks_here = ranks_of_host(run.world());
  Inputs inputs = run.together([&] {
    Inputs mine{.source = read_source(options, run.world()),
                .network = make_network(options),
                .digests = {}};
    settle_levels(options, mine);
    const std::vector<std::int64_t> shape = truth_shape(options, mine.source);
    if (options.device == at::kCPU) {
      restoration::check_memory(plan_of_rank(options, shape, mine.network, run.world().size()),
                                ranks_here,
                                fmt::format("for an image of {}x{} pixels and {} operators",
                                            shape[3], shape[2], options.num_operators),
                                advice_on_memory(options));
    }
    mine.digests = restoration::digests_of(settings::files_named(table(), options));
    return mine;
  });
  restoration::check_same_files(run.world(), command_line().name, inputs.digests);
  for (const std::string& text : inputs.source.warnings) run.warn(text);
  return inputs;
}

/// Those of this rank's operators: simulated, or read.
TensorList make_measurements(const Options& options, const LinearPhysics& physics,
                             SupervisedRun& run) {
  const Tensor& truth = run.outcome().truth;
  if (options.measurements.empty()) return physics.measure(truth);
  const Tensor like = make_operator(options, 0)->apply(truth);
  restoration::Measurements read = restoration::read_measurements(
      options.measurements, options.num_operators, physics.held(), like, options.noise_level,
      options.fidelity == FidelityKind::clipped);
  run.warn(read.warning);
  return std::move(read.held);
}

double automatic_step(const Options& options, double norm_squared) {
  if (options.prior == PriorKind::red) return 1 / (norm_squared + options.red_weight);
  // Below 2 / ||A||^2 a step brings no two images further apart, and a longer one brings detail
  // faster. The mean brightness, where A^T A is largest, swings, unless it is right to begin with.
  return 1.6 / norm_squared;
}

/// What the step is held against; only pnp is given one.
std::optional<restoration::StepLimit> step_limit(const Options& options, double norm_squared) {
  if (options.solver != SolverKind::pnp) return std::nullopt;
  restoration::StepLimit limit{.norm_squared = norm_squared};
  if (options.prior == PriorKind::red) {
    limit.prior_curvature = options.red_weight;
    limit.prior_words = "--red-weight";
  }
  return limit;
}

Tensor starting_point(const Options& options, const LinearPhysics& physics,
                      const DataFidelity& fidelity, const restoration::Outcome& outcome) {
  if (options.init_method == InitMethod::zeros) return at::zeros_like(outcome.truth);
  if (options.init_method == InitMethod::adjoint) {
    if (options.problem == ProblemKind::highres_blur && options.border == Padding::circular) {
      const auto* l2 = dynamic_cast<const L2*>(&fidelity);  // which has A^T y already
      const Tensor back_projection =
          l2 != nullptr ? l2->adjoint_of_data() : physics.adjoint(outcome.measurements);
      return back_projection / static_cast<double>(options.num_operators);
    }
    return restoration::mean_of_measurements(physics, outcome.measurements, outcome.truth);
  }
  return physics.pseudo_inverse(outcome.measurements, {.tolerance = 1e-4, .max_iterations = 50});
}

/// What must be the same for a run to go on: everything that the restored image depends on, with
/// the contents of files. Not the number of ranks, the device and the precision's last digits; not
/// the number of iterations, unless the method depends on it.
std::map<std::string, std::string> identity_of_run(const Options& options,
                                                   const restoration::Outcome& outcome) {
  std::map<std::string, std::string> identity = settings::identity_of(table(), options);
  identity["noise generator"] = fmt::format("{}", noise_generator_version);
  identity.merge(restoration::contents_of(outcome));
  return identity;
}

/// The parts of a run in which every rank has the whole image.
RunParts make_parts(Options& options, Inputs& inputs, SupervisedRun& run) {
  restoration::Outcome& outcome = run.outcome();
  RunParts parts;
  outcome.truth =
      run.together([&] { return make_truth(options, std::exchange(inputs.source, {})); });
  parts.physics = restoration::make_physics(
      *options.distribute_physics, options.num_operators,
      [&](std::int64_t index) { return make_operator(options, index); }, run.ranks());
  const bool is_by_layers = by_layers(options, *inputs.network, run.world().size());
  parts.denoiser = inputs.network;
  if (is_by_layers)
    parts.denoiser = restoration::gathered_denoiser(parts.denoiser, run.ranks(), outcome);
  run.together([&] {
    outcome.measurements = make_measurements(options, *parts.physics, run);
    if (!*options.distribute_denoiser || is_by_layers) return;
    const auto tiled = run.shared_by_tiles(inputs.network, tiling_options(options));
    restoration::check_every_rank_works(*parts.physics, *tiled, outcome.truth.sizes(),
                                        run.world().size());
    parts.denoiser = tiled;
  });
  return parts;
}

}  // namespace

restoration::Outcome run(Options& options, const CommunicatorPtr& world) {
  const c10::InferenceMode no_gradients;
  const bool shares_work = world->size() > 1 && !options.distribute_image;
  options.distribute_physics = options.distribute_physics.value_or(shares_work);
  options.distribute_denoiser = options.distribute_denoiser.value_or(shares_work);
  restoration::RunOptions manner =
      restoration::run_options(options, command_line().name, options.iterations);
  manner.shares_work = manner.shares_work || options.distribute_image;
  SupervisedRun run(std::move(manner), world);
  restoration::Outcome& outcome = run.outcome();
  options.gpu = run.gpu();
  const c10::OptionalDeviceGuard on_device(run.device());

  Inputs inputs = read_inputs(options, run);
  outcome.inputs = inputs.digests;
  outcome.samples = inputs.source.samples;
  RunParts parts;
  if (options.distribute_image) {
    parts = make_boxed_parts(options, std::exchange(inputs.source, {}), inputs.network, run);
    if (world->is_root() && !options.quiet) fmt::print("{}\n", outcome.tiling);
  } else {
    parts = make_parts(options, inputs, run);
  }
  const LinearPhysicsPtr& physics = parts.physics;
  outcome.operators_per_rank = restoration::operators_per_rank(*physics, world->size());

  const restoration::Method method = options.method();
  const DataFidelityPtr fidelity =
      restoration::make_fidelity(method, physics, outcome.measurements, outcome.truth);
  Extents shape = outcome.truth.sizes().vec();
  if (outcome.space) {
    std::copy(outcome.space->extents().begin(), outcome.space->extents().end(), shape.begin() + 2);
  }
  PriorPtr prior = restoration::make_prior(method, parts.denoiser, shape);
  if (outcome.space) prior = restoration::prior_of_boxes(prior, outcome.space);
  outcome.norm_squared = physics->norm_squared(outcome.truth);
  outcome.step_size = options.step_size.value_or(automatic_step(options, outcome.norm_squared));
  const auto limit = step_limit(options, outcome.norm_squared);
  if (limit) run.warn(limit->warning(outcome.step_size));
  const std::unique_ptr<Solver> solver = restoration::make_solver(
      method, *fidelity, *prior, outcome.step_size, outcome.norm_squared, parts.differences);
  Tensor x0 = starting_point(options, *physics, *fidelity, outcome);
  if (options.solver == SolverKind::mlem) x0 = x0.clamp_min(1e-3);  // what is 0 stays 0
  run.solve(*solver, x0, *fidelity, limit, [&] { return identity_of_run(options, outcome); });
  if (options.save_npy) run.gather_measurements(*physics);
  return outcome;
}

restoration::Telling telling_of(const Options& options, const restoration::Outcome& outcome) {
  restoration::Telling telling{
      .program = command_line().name,
      .folder = options.out,
      .method = std::string(options.prior == PriorKind::red ? settings::name_of(options.prior)
                                                            : settings::name_of(options.solver)),
      .configuration = settings::summary_values(
          table(), options,
          {{"denoiser_sigma_start", options.denoiser_sigma_start.value_or(options.denoiser_sigma)},
           {"step_size", outcome.step_size},
           {"backend", outcome.backend},
           {"threads", std::int64_t{outcome.threads}}}),
      .arguments = options.arguments,
      .save_npy = options.save_npy,
      .has_report = !options.no_report,
      .quiet = options.quiet};
  telling.configuration.emplace_back("noise_generator", std::int64_t{noise_generator_version});
  return telling;
}

std::string plan_run(Options& options) {
  const c10::InferenceMode no_gradients;
  const CommunicatorPtr self = self_communicator();
  share_cores(*self, options.threads);
  const DenoiserPtr denoiser = make_network(options);
  const std::vector<std::int64_t> shape = truth_shape(options, read_source(options, *self));
  // What is shared out may not fit here: costs are measured on a part of it.
  const std::int64_t most =
      options.distribute_image ? 2048 - 2048 % options.factor : std::max(shape[2], shape[3]);
  const Extents measured = {1, shape[1], std::min(shape[2], most), std::min(shape[3], most)};
  const restoration::ScalingQuestion question{
      .problem = "--solver pnp --fidelity l2",
      .image = at::full(measured, 0.5).to(device(options), options.dtype),
      .physics = make_operator(options, 0),
      .operators = options.num_operators,
      .denoiser = denoiser,
      .sigma = options.denoiser_sigma,
      .tiling = tiling_options(options),
      .shares_operators = options.distribute_physics,
      .shares_tiles = options.distribute_denoiser,
      .ranks = options.ranks,
      .bandwidth = options.bandwidth,
      .latency = options.latency};
  if (!options.distribute_image) return restoration::predict_scaling(question);
  return restoration::predict_box_scaling(plan_of_boxes(options, question, shape));
}
