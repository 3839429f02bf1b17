// SPDX-License-Identifier: BSD-3-Clause
#include "parts.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "problem.hpp"
#include "tessera/distributed/distributed_physics.hpp"
#include "tessera/fidelity/clipped_l2.hpp"
#include "tessera/fidelity/l2.hpp"
#include "tessera/physics/stacked.hpp"
#include "tessera/prior/plug_and_play.hpp"
#include "tessera/prior/red.hpp"
#include "tessera/solver/gradient_descent.hpp"
#include "tessera/solver/hqs.hpp"
#include "tessera/solver/log_spaced.hpp"
#include "tessera/solver/pnp.hpp"

using namespace tessera;

LinearPhysicsPtr make_physics(const Options& options, const CommunicatorPtr& world) {
  const auto make = [&](std::int64_t index) { return make_operator(options, index); };
  if (*options.distribute_physics) {
    return std::make_shared<DistributedPhysics>(options.num_operators, make, world);
  }
  return std::make_shared<StackedPhysics>(options.num_operators, make);
}

DenoiserPtr make_network(Options& options) {
  return restoration::make_denoiser(options.denoiser, options.weights, device(options));
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

restoration::Files input_files(const Options& options) {
  restoration::Files files = {{"image", options.image},
                              {"truth", options.truth},
                              {"measurements", options.measurements},
                              {"weights", options.weights}};
  std::erase_if(files, [](const auto& file) { return file.second.empty(); });
  return files;
}

restoration::MemoryNeed plan_of_rank(const Options& options, at::IntArrayRef image,
                                     const DenoiserPtr& denoiser, int ranks) {
  // In images of the size of x, measured as peaks of the resident set, 256 to 2048 pixels, 8 and 24
  // operators, allocator included: what the solver and the gradient hold; for each operator, its
  // measurement, its spectrum, and what making them leaves. The likelihood of clipped measurements
  // also holds what each would be.
  constexpr double at_work = 8;
  const double per_operator = options.fidelity == FidelityKind::clipped ? 3.2 : 2.3;
  const bool shares = options.distribute_physics.value_or(ranks > 1);
  const std::int64_t share =
      shares ? (options.num_operators + ranks - 1) / ranks : options.num_operators;
  restoration::MemoryQuestion question{
      .image = image.vec(),
      .bytes_per_element = static_cast<std::int64_t>(c10::elementSize(options.dtype)),
      .ranks = ranks,
      .denoiser = denoiser,
      .weights = options.weights,
      .tiling = {},
      .images = per_operator * static_cast<double>(share) + at_work};
  if (options.distribute_denoiser.value_or(ranks > 1)) {
    question.tiling = tiling_options(options);
    restoration::check_tiles_fit(*question.tiling, image);
  }
  return restoration::memory_need(question);
}

std::string advice_on_memory(const Options& options) {
  const bool is_cut = options.distribute_denoiser.value_or(false) &&
                      options.tiling == Tiling::fixed && options.max_batch_size == 1;
  return fmt::format(
      "Give a smaller --image-size{}, fewer --num-operators{}",
      is_cut ? " or --patch-size"
             : ", --distribute-denoiser --tiling fixed --patch-size 256 "
               "--max-batch-size 1 to denoise in small pieces",
      options.dtype == at::kDouble ? ", --dtype float32, or more hosts" : ", or more hosts");
}
