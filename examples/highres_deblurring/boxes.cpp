// SPDX-License-Identifier: BSD-3-Clause
#include "boxes.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <memory>
#include <numeric>
#include <utility>

#include "parts.hpp"
#include "restoration/boxed_files.hpp"
#include "restoration/boxed_parts.hpp"
#include "restoration/scene.hpp"
#include "restoration/sharing.hpp"
#include "tessera/core/error.hpp"
#include "tessera/distributed/boxed_operators.hpp"

using namespace tessera;

namespace {

restoration::SharedOperator shared_operator(const Options& options, const BoxSpacePtr& space,
                                            std::int64_t index, at::ScalarType type) {
  const Tensor kernel = make_kernel(options, index, at::TensorOptions(type)).to(device(options));
  const bool has_frames = options.problem == ProblemKind::multiframe_superres;
  return restoration::shared_blur(space, kernel, options.border, has_frames ? options.factor : 1);
}

Tensor truth_of_boxes(const Options& options, Source source, const BoxSpacePtr& space,
                      restoration::SupervisedRun& run) {
  restoration::Photograph own;
  if (!options.truth.empty()) {
    own = restoration::read_image_of_boxes(options.truth, *space);
  } else if (!options.image.empty()) {
    own = restoration::read_photograph_of_boxes({options.image, options.page}, *space,
                                                std::move(source), device(options));
  } else {
    const Box& box = space->local();
    run.together([&] { own.image = restoration::synthetic_scene(options.image_size, box); });
  }
  for (const std::string& text : own.warnings) run.warn(text);
  return own.image.to(device(options), options.dtype).contiguous();
}

/// The measurements of all operators, each of a box: simulated, or read.
TensorList measurements_of_boxes(const Options& options, const BoxSpacePtr& space,
                                 const std::vector<BoxSpacePtr>& measured,
                                 restoration::SupervisedRun& run) {
  const Tensor& truth = run.outcome().truth;
  TensorList held;
  if (options.measurements.empty()) {
    const Tensor exact = truth.to(at::kDouble);
    for (std::int64_t i = 0; i < options.num_operators; ++i) {
      const auto one = shared_operator(options, space, i, at::kDouble);
      held.push_back(measured_by(one, exact, *make_noise(options, i)).to(options.dtype));
    }
    return held;
  }
  restoration::Measurements read = restoration::read_measurements_of_boxes(
      options.measurements, measured, truth.options(), options.noise_level,
      options.fidelity == FidelityKind::clipped);
  run.warn(read.warning);
  return std::move(read.held);
}

}  // namespace

Source read_source(const Options& options, Communicator& ranks) {
  if (!options.distribute_image) return read_source(options);
  if (!options.truth.empty()) return restoration::shape_of_image_array(options.truth);
  if (options.image.empty()) return {};
  return restoration::begin_photograph({options.image, options.page}, ranks);
}

bool denoises(const Options& options) {
  return options.solver != SolverKind::mlem &&
         (options.prior == PriorKind::pnp || options.prior == PriorKind::red);
}

bool by_layers(const Options& options, const Denoiser& network, int ranks) {
  const bool shares = options.distribute_image || options.distribute_denoiser.value_or(ranks > 1);
  const bool is_automatic = options.denoiser_halo == DenoiserHalo::automatic;
  if (options.denoiser_halo == DenoiserHalo::context || !denoises(options) || !shares) return false;
  if (is_automatic && (!options.distribute_image || ranks == 1)) return false;
  const bool can = restoration::has_layers(network);
  if (can || is_automatic) return can;
  throw error::InvalidArgument(
      fmt::format("--denoiser-halo layers: is for --denoiser drunet and dncnn; {} works by context",
                  network.name()));
}

BoxSpaceOptions box_options(const Options& options, at::IntArrayRef image, const Denoiser& network,
                            int ranks) {
  std::int64_t of_prior = by_layers(options, network, ranks) ? network.alignment() : 1;
  if (options.prior == PriorKind::wavelet) {
    of_prior = std::int64_t{1} << restoration::wavelet_levels(image);
  }
  const std::int64_t of_frames =
      options.problem == ProblemKind::multiframe_superres ? options.factor : 1;
  return {.alignment = std::lcm(of_prior, of_frames)};
}

RunParts make_boxed_parts(Options& options, Source source, const DenoiserPtr& network,
                          restoration::SupervisedRun& run) {
  restoration::Outcome& outcome = run.outcome();
  const std::vector<std::int64_t> shape = truth_shape(options, source);
  const Extents extents = {shape[2], shape[3]};
  const bool is_scene = options.truth.empty() && options.image.empty();
  if (is_scene && extents != restoration::scene_extents(options.image_size)) {
    throw error::InvalidArgument(fmt::format(
        "--image-size: the scene of {} pixels is not a multiple of --factor {} along "
        "both sides, as --distribute-image needs it",
        fmt::join(restoration::scene_extents(options.image_size), "x"), options.factor));
  }
  const int ranks = run.world().size();
  const auto space = std::make_shared<BoxSpace>(run.ranks(), extents,
                                                box_options(options, shape, *network, ranks));
  outcome.space = space;
  outcome.truth = truth_of_boxes(options, std::move(source), space, run);

  std::vector<restoration::SharedOperator> operators;
  for (std::int64_t i = 0; i < options.num_operators; ++i) {
    operators.push_back(shared_operator(options, space, i, options.dtype));
    outcome.measured_spaces.push_back(operators.back().measured);
  }
  outcome.measurements = measurements_of_boxes(options, space, outcome.measured_spaces, run);
  RunParts parts{.physics = restoration::stacked(operators),
                 .denoiser = network,
                 .differences = boxed_differences(space)};
  outcome.tiling = restoration::boxes_in_words(*space);
  if (denoises(options)) {
    parts.denoiser = restoration::shared_denoiser(network, by_layers(options, *network, ranks),
                                                  tiling_options(options), outcome);
  }
  return parts;
}

restoration::BoxScalingQuestion plan_of_boxes(const Options& options,
                                              const restoration::ScalingQuestion& run,
                                              const Extents& image) {
  return {.run = run,
          .extents = {image[2], image[3]},
          .shared =
              [options](const BoxSpacePtr& space, std::int64_t index) {
                return shared_operator(options, space, index, options.dtype);
              },
          .memory =
              [=, one = options](int ranks, bool by_layers) mutable {
                one.denoiser_halo = by_layers ? DenoiserHalo::layers : DenoiserHalo::context;
                return plan_of_rank(one, image, run.denoiser, ranks).bytes_per_rank;
              },
          .alignment = options.problem == ProblemKind::multiframe_superres ? options.factor : 1,
          .by_context = options.denoiser_halo != DenoiserHalo::layers,
          .by_layers = options.denoiser_halo != DenoiserHalo::context};
}
