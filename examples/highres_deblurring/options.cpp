// SPDX-License-Identifier: BSD-3-Clause
#include "options.hpp"

#include <algorithm>
#include <utility>

#include "method.hpp"

namespace {

constexpr const char* description =
    "Restores one large colour photograph from several blurred, noisy ones.\n\n"
    "Each of the num-operators measurements is the photograph blurred along another direction "
    "(angles spread over\n"
    "0 to 180 degrees, both included) with noise added. A plug-and-play solver recovers it with a "
    "learned denoiser as\n"
    "prior. Without options: half-quadratic splitting (dpir) with the likelihood of clipped "
    "measurements.\n"
    "Under mpiexec the ranks share the operators and the tiles of the denoiser.";

/// What --distribute-image cannot do.
void check_boxes(const Options& options) {
  constexpr const char* name = "--distribute-image";
  if (options.tiling == tessera::Tiling::deepinv) {
    throw CLI::ValidationError(name, "works with --tiling auto, fixed and exact");
  }
  if (options.distribute_physics.value_or(false) || options.distribute_denoiser.value_or(false)) {
    throw CLI::ValidationError(
        name, "shares out all: leave out --distribute-physics and --distribute-denoiser");
  }
}

/// What cannot be asked for together.
void check_together(const Options& options) {
  if (!options.image.empty() && !options.truth.empty()) {
    throw CLI::ValidationError("--truth", "stands for --image: give one of them");
  }
  if (options.fidelity != FidelityKind::l2 && options.plan) {
    throw CLI::ValidationError("--plan", "knows the costs of --fidelity l2 only");
  }
  if (options.distribute_image) check_boxes(options);
  if (options.plan && !options.distribute_image && options.denoiser_halo == DenoiserHalo::layers) {
    throw CLI::ValidationError("--plan", "knows layers with --distribute-image only");
  }
  restoration::check_together(options);
  if (!options.config.empty() && options.plan) {
    throw CLI::ValidationError("--plan", "is for one run; with --config give --dry-run");
  }
}

/// What presets, solvers and bounds leave open.
void settle(Options& options, const settings::IsGiven& is_given) {
  settle_method(options, is_given);
  options.image_size_given = is_given("--image-size");
  if (options.max_image_size > 0) {
    options.image_size = std::min(options.image_size, options.max_image_size);
  }
  check_together(options);
}

}  // namespace

restoration::Method Options::method() const {
  return {.solver = solver,
          .fidelity = fidelity,
          .prior = prior,
          .noise_level = noise_level,
          .iterations = iterations,
          .dpir_weight = dpir_weight,
          .red_weight = red_weight,
          .tv_weight = tv_weight,
          .prior_weight = prior_weight,
          .denoiser_sigma = denoiser_sigma,
          .denoiser_sigma_start = denoiser_sigma_start};
}

const settings::Program<Options>& command_line() {
  static const settings::Program<Options> program{"highres_deblurring", description, table(),
                                                  settle};
  return program;
}

Options parse_arguments(std::vector<std::string> arguments) {
  return settings::parse_arguments(command_line(), std::move(arguments));
}
