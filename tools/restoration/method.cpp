// SPDX-License-Identifier: BSD-3-Clause
#include "restoration/method.hpp"

#include <algorithm>
#include <utility>

#include "tessera/core/error.hpp"
#include "tessera/fidelity/absolute_distance.hpp"
#include "tessera/fidelity/clipped_l2.hpp"
#include "tessera/fidelity/l2.hpp"
#include "tessera/fidelity/poisson_distance.hpp"
#include "tessera/physics/finite_differences.hpp"
#include "tessera/prior/box_prior.hpp"
#include "tessera/prior/l1_prior.hpp"
#include "tessera/prior/plug_and_play.hpp"
#include "tessera/prior/red.hpp"
#include "tessera/prior/ridge_denoiser.hpp"
#include "tessera/prior/total_variation_prior.hpp"
#include "tessera/prior/wavelet_prior.hpp"
#include "tessera/solver/admm.hpp"
#include "tessera/solver/gradient_descent.hpp"
#include "tessera/solver/hqs.hpp"
#include "tessera/solver/log_spaced.hpp"
#include "tessera/solver/mlem.hpp"
#include "tessera/solver/pnp.hpp"
#include "tessera/solver/primal_dual.hpp"
#include "tessera/solver/proximal_gradient.hpp"

namespace restoration {

using namespace tessera;

namespace {

/// A standard deviation for likelihoods, which noise-free data have none of.
double sigma_of(const Method& method) {
  return method.noise_level > 0 ? method.noise_level : 1e-3;
}

std::unique_ptr<Solver> plug_and_play(const Method& method, const DataFidelity& fidelity,
                                      const Prior& prior, std::optional<double> step) {
  if (method.prior == PriorKind::red) {
    GradientDescentOptions descent{.step = step, .prior_weight = method.red_weight};
    descent.clamp_range = method.range;
    descent.stopping.max_iterations = method.iterations;
    return std::make_unique<GradientDescent<DataFidelity, Prior>>(fidelity, prior, descent);
  }
  PnPOptions pnp{.step = step};
  pnp.clamp_range = method.range;
  pnp.stopping.max_iterations = method.iterations;
  if (method.denoiser_sigma_start) {
    pnp.denoiser_sigma =
        log_spaced(*method.denoiser_sigma_start, method.denoiser_sigma, method.iterations);
  }
  return std::make_unique<PnP<DataFidelity, Prior>>(fidelity, prior, pnp);
}

}  // namespace

bool fit_together(SolverKind solver, PriorKind prior) {
  switch (solver) {
    case SolverKind::dpir:
      return prior == PriorKind::pnp;
    case SolverKind::pnp:
      return prior == PriorKind::pnp || prior == PriorKind::red;
    case SolverKind::admm:  // whose steps are too long for the proximal operator of ridge
      return prior != PriorKind::red && prior != PriorKind::ridge;
    case SolverKind::primal_dual:
      return prior == PriorKind::tv;
    case SolverKind::mlem:
      return false;
    case SolverKind::proximal_gradient:
      break;
  }
  return prior != PriorKind::red;
}

bool fit_together(SolverKind solver, FidelityKind fidelity) {
  if (solver == SolverKind::mlem) return fidelity == FidelityKind::poisson;
  if (solver == SolverKind::primal_dual) return true;
  return fidelity == FidelityKind::l2 || fidelity == FidelityKind::clipped;
}

bool levels_may_fall(SolverKind solver, PriorKind prior) {
  return prior == PriorKind::pnp &&
         (solver == SolverKind::pnp || solver == SolverKind::proximal_gradient);
}

DataFidelityPtr make_fidelity(const Method& method, LinearPhysicsPtr physics,
                              TensorList measurements, const Tensor& image) {
  const double sigma = sigma_of(method);
  const auto of_distance = [&](DistancePtr distance) {
    return std::make_shared<DataFidelity>(std::move(physics), std::move(measurements),
                                          std::move(distance));
  };
  switch (method.fidelity) {
    case FidelityKind::l2: {
      const bool is_plug_and_play =
          method.solver == SolverKind::dpir || method.solver == SolverKind::pnp;
      return std::make_shared<L2>(std::move(physics), std::move(measurements), image,
                                  L2Options{.sigma = is_plug_and_play ? 1 : sigma,
                                            .conjugate_gradient = method.inner_solves});
    }
    case FidelityKind::poisson:
      return of_distance(std::make_shared<PoissonDistance>(
          PoissonDistanceOptions{.gain = sigma * sigma, .background = method.background}));
    case FidelityKind::absolute:
      return of_distance(std::make_shared<AbsoluteDistance>(sigma));
    case FidelityKind::clipped:
      break;
  }
  ClippedL2Options clipped;
  clipped.sigma = method.noise_level;
  clipped.tolerance = 1e-2;  // the result is denoised: 1e-3 takes longer for 0.001 dB
  return std::make_shared<ClippedL2>(std::move(physics), std::move(measurements), clipped);
}

int wavelet_levels(at::IntArrayRef image) {
  int levels = 3;
  for (std::size_t axis = 2; axis < image.size(); ++axis) {
    while (levels > 1 && image[axis] % (std::int64_t{1} << levels) != 0) --levels;
  }
  return levels;
}

PriorPtr make_prior(const Method& method, DenoiserPtr denoiser, at::IntArrayRef image) {
  if (method.prior == PriorKind::tv) return std::make_shared<TotalVariationPrior>(method.tv_weight);
  if (method.prior == PriorKind::wavelet) {
    return std::make_shared<WaveletPrior>(method.prior_weight,
                                          WaveletOptions{.levels = wavelet_levels(image)});
  }
  if (method.prior == PriorKind::ridge) {
    const auto ridge = std::dynamic_pointer_cast<const RidgeDenoiser>(denoiser);
    if (!ridge) throw error::InvalidArgument("--prior ridge: is made of --denoiser ridge");
    return std::make_shared<RidgePrior>(ridge->prior().at_level(method.denoiser_sigma));
  }
  if (method.prior == PriorKind::red) {
    return std::make_shared<RED>(std::move(denoiser), method.denoiser_sigma);
  }
  const bool level_varies = method.solver == SolverKind::dpir || method.denoiser_sigma_start;
  return std::make_shared<PlugAndPlay>(
      level_varies ? PlugAndPlay::matched(std::move(denoiser))
                   : PlugAndPlay::fixed(std::move(denoiser), method.denoiser_sigma));
}

std::unique_ptr<Solver> make_solver(const Method& method, const DataFidelity& fidelity,
                                    const Prior& prior, double step, double norm_squared,
                                    LinearPhysicsPtr differences) {
  const StoppingRules stopping{.max_iterations = method.iterations};
  switch (method.solver) {
    case SolverKind::pnp:
      return plug_and_play(method, fidelity, prior, step);
    case SolverKind::proximal_gradient:
      // Momentum is for what is minimised, and a denoiser need not be a proximal operator.
      if (method.prior == PriorKind::pnp) {
        return plug_and_play(method, fidelity, prior, std::nullopt);
      }
      if (method.prior == PriorKind::ridge) {
        // The other way round: one gradient of the prior is far cheaper than its proximal operator.
        // The prior is not convex, and momentum alone may run away.
        const double share = method.denoiser_sigma * method.denoiser_sigma / method.prior_weight;
        return std::make_unique<ProximalGradient<Prior, DataFidelity>>(
            prior, fidelity,
            ProximalGradientOptions{.monotone = true, .weight = share, .stopping = stopping});
      }
      return std::make_unique<ProximalGradient<DataFidelity, Prior>>(
          fidelity, prior, ProximalGradientOptions{.stopping = stopping});
    case SolverKind::admm: {
      const double curvature = norm_squared / std::pow(sigma_of(method), 2);
      return std::make_unique<ADMM<DataFidelity, Prior>>(
          fidelity, prior, AdmmOptions{.step = 10 / curvature, .stopping = stopping});
    }
    case SolverKind::primal_dual: {
      if (!differences) differences = std::make_shared<FiniteDifferences>();
      const MappedPrior variation{std::move(differences), std::make_shared<GroupL1Prior>(),
                                  method.tv_weight};
      return std::make_unique<PrimalDual>(
          fidelity, std::vector{variation},
          method.range ? std::make_shared<BoxPrior>(method.range->first, method.range->second)
                       : nullptr,
          PrimalDualOptions{.ratio = method.step_ratio.value_or(1 / std::pow(sigma_of(method), 2)),
                            .stopping = stopping});
    }
    case SolverKind::mlem:
      return std::make_unique<MLEM>(fidelity, MlemOptions{.stopping = stopping});
    case SolverKind::dpir:
      break;
  }
  HqsOptions hqs;
  hqs.schedule = HqsSchedule::dpir(method.noise_level, method.iterations, method.dpir_weight);
  hqs.clamp_range = method.range;
  return std::make_unique<HQS<DataFidelity, Prior>>(fidelity, prior, hqs);
}

}  // namespace restoration
