// SPDX-License-Identifier: BSD-3-Clause
#include "parts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "problem.hpp"
#include "tessera/core/error.hpp"
#include "tessera/denoiser/dncnn.hpp"
#include "tessera/denoiser/drunet.hpp"
#include "tessera/denoiser/script_denoiser.hpp"
#include "tessera/denoiser/total_variation.hpp"
#include "tessera/distributed/distributed_physics.hpp"
#include "tessera/fidelity/clipped_l2.hpp"
#include "tessera/fidelity/l2.hpp"
#include "tessera/io/default_weights.hpp"
#include "tessera/io/state_dict.hpp"
#include "tessera/physics/stacked.hpp"
#include "tessera/prior/plug_and_play.hpp"
#include "tessera/prior/red.hpp"
#include "tessera/solver/gradient_descent.hpp"
#include "tessera/solver/hqs.hpp"
#include "tessera/solver/log_spaced.hpp"
#include "tessera/solver/pnp.hpp"

using namespace tessera;

LinearPhysicsPtr make_physics(const Options& options, const CommunicatorPtr& world) {
  const auto make = [&](std::int64_t index) { return make_blur(options, index); };
  if (*options.distribute_physics) {
    return std::make_shared<DistributedPhysics>(options.num_operators, make, world);
  }
  return std::make_shared<StackedPhysics>(options.num_operators, make);
}

namespace {

/// A network of the user's own, whose reach and grid are measured: tiles depend on them.
DenoiserPtr make_script(const Options& options) {
  if (options.weights.empty()) {
    throw error::InvalidArgument("--denoiser script: give the network, --weights FILE");
  }
  ScriptOptions script;
  script.device = device(options);
  const bool is_package = options.weights.ends_with(".pt2");
  if (is_package) script.level = LevelInput::argument;
  const auto network = std::make_shared<ScriptDenoiser>(options.weights, script);
  ReachProbeOptions probe;
  probe.device = script.device;
  if (!is_package) network->declare(probe_reach(*network, probe));
  return network;
}

}  // namespace

DenoiserPtr make_network(Options& options) {
  if (options.denoiser == DenoiserKind::tv) return std::make_shared<TotalVariation>();
  if (options.denoiser == DenoiserKind::script) return make_script(options);
  if (options.weights.empty()) {
    if (options.denoiser == DenoiserKind::dncnn) {
      throw error::InvalidArgument(
          "--denoiser dncnn: no weights are installed for it, give --weights FILE");
    }
    options.weights = default_weights();
  }
  const StateDict weights = read_state_dict(options.weights);
  if (options.denoiser == DenoiserKind::dncnn) return std::make_shared<DnCNN>(weights);
  return std::make_shared<DRUNet>(weights);
}

void check_tiles_fit(const Options& options, at::IntArrayRef image) {
  if (options.tiling != Tiling::fixed && options.tiling != Tiling::deepinv) return;
  const std::int64_t side = std::min(image[2], image[3]);
  const std::string what = fmt::format("--tiling {}", settings::name_of(options.tiling));
  if (options.patch_size < 1 || options.patch_size > side) {
    throw error::InvalidArgument(fmt::format(
        "{}: a --patch-size of {} {}; give 1 to {}, or --tiling auto", what, options.patch_size,
        options.patch_size < 1 ? std::string("makes no tile")
                               : fmt::format("is larger than the image, {}x{}", image[3], image[2]),
        side));
  }
  if (options.tiling == Tiling::deepinv && options.overlap >= side) {
    throw error::InvalidArgument(
        fmt::format("{}: an --overlap of {} cannot be reflected at the border of an image of "
                    "{}x{}; give at most {}",
                    what, options.overlap, image[3], image[2], side - 1));
  }
}

TilingOptions tiling_options(const Options& options) {
  TilingOptions tiling;
  tiling.tiling = options.tiling;
  tiling.context = options.overlap;
  tiling.patch = {options.patch_size};
  tiling.overlap = options.overlap;
  tiling.max_batch_size = options.max_batch_size;
  if (options.max_batch_size == 0 && options.device == at::kCPU) tiling.max_batch_size = 1;
  // Fixed tiles blend in their overlap.
  tiling.blend = std::min(tiling.blend.values().front(), 2 * options.overlap);
  return tiling;
}

DataFidelityPtr make_fidelity(const Options& options, LinearPhysicsPtr physics,
                              TensorList measurements, const Tensor& image) {
  if (options.fidelity == FidelityKind::l2) {
    return std::make_shared<L2>(std::move(physics), std::move(measurements), image);
  }
  ClippedL2Options clipped;
  clipped.sigma = options.noise_level;
  clipped.tolerance = 1e-2;  // the result is denoised: 1e-3 takes longer for 0.001 dB
  return std::make_shared<ClippedL2>(std::move(physics), std::move(measurements), clipped);
}

PriorPtr make_prior(const Options& options, DenoiserPtr denoiser) {
  if (options.prior == PriorKind::red) {
    return std::make_shared<RED>(std::move(denoiser), options.denoiser_sigma);
  }
  const bool level_varies = options.solver == SolverKind::dpir || options.denoiser_sigma_start;
  return std::make_shared<PlugAndPlay>(
      level_varies ? PlugAndPlay::matched(std::move(denoiser))
                   : PlugAndPlay::fixed(std::move(denoiser), options.denoiser_sigma));
}

std::unique_ptr<Solver> make_solver(const Options& options, const DataFidelity& fidelity,
                                    const Prior& prior, double step) {
  if (options.solver == SolverKind::dpir) {
    HqsOptions hqs;
    hqs.schedule = HqsSchedule::dpir(options.noise_level, options.iterations, options.dpir_weight);
    hqs.clamp_range = std::pair{0.0, 1.0};
    return std::make_unique<HQS<DataFidelity, Prior>>(fidelity, prior, hqs);
  }
  if (options.prior == PriorKind::red) {
    GradientDescentOptions descent{.step = step, .prior_weight = options.red_weight};
    descent.clamp_range = std::pair{0.0, 1.0};
    descent.stopping.max_iterations = options.iterations;
    return std::make_unique<GradientDescent<DataFidelity, Prior>>(fidelity, prior, descent);
  }
  PnPOptions pnp{.step = step};
  pnp.clamp_range = std::pair{0.0, 1.0};
  pnp.stopping.max_iterations = options.iterations;
  if (options.denoiser_sigma_start) {
    pnp.denoiser_sigma =
        log_spaced(*options.denoiser_sigma_start, options.denoiser_sigma, options.iterations);
  }
  return std::make_unique<PnP<DataFidelity, Prior>>(fidelity, prior, pnp);
}
