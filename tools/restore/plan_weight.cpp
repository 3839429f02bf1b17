// SPDX-License-Identifier: BSD-3-Clause
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "restore/planner.hpp"

namespace restore {

using restoration::FidelityKind;
using restoration::PriorKind;
using restoration::SolverKind;
using settings::name_of;

namespace {

std::string words_of(WeightRule rule) {
  switch (rule) {
    case WeightRule::whiteness:
      return "auto: residuals as white as noise";
    case WeightRule::discrepancy:
      return "discrepancy: residuals as large as the noise";
    case WeightRule::risk:
      break;
  }
  return "risk: predicts the measurements best";
}

}  // namespace

double& Plan::weight() {
  switch (method.prior) {
    case PriorKind::tv:
      return method.tv_weight;
    case PriorKind::ridge:
    case PriorKind::wavelet:
      return method.prior_weight;
    default:
      return method.dpir_weight;
  }
}

bool Plan::has_weight() const {
  return method.solver == SolverKind::dpir || method.prior != PriorKind::pnp;
}

void Planner::settle_weight() {
  const PriorSettings& prior = config_.prior;
  if (!plan_.has_weight()) {
    if (prior.weight || prior.rule) {
      refuse(prior.where,
             fmt::format("weight: the solver {} has none", name_of(plan_.method.solver)));
    }
    return;
  }
  // Duals are residuals over the variance of the noise: about 1 / level. The image is about a
  // tenth of white away from where it starts.
  constexpr double distance = 0.1;
  plan_.method.step_ratio = std::pow(1 / (level_in_intensities() * distance), 2);
  const bool is_variation = plan_.method.prior != PriorKind::pnp;
  plan_.rule = prior.rule;
  check_rule();
  if (is_variation && !prior.weight && !prior.rule) plan_.rule = WeightRule::risk;
  // Of dpir the published one, and what does better where measurements are many; of total
  // variation where a search begins: denoising asks for about one over the noise level.
  // Of ridge, that of denoising at the level of the noise.
  plan_.method.denoiser_sigma = level_in_intensities();
  plan_.weight() = prior.weight.value_or(plan_.prior == PriorName::ridge ? 1.0
                                         : is_variation      ? 0.8 / level_in_intensities()
                                         : facts_.size() > 1 ? 0.1
                                                             : 0.23);
  add_row("prior weight",
          plan_.rule ? words_of(*plan_.rule) : fmt::format("{:.4g}", plan_.weight()),
          prior.weight || prior.rule ? from_file : by_default);
}

void Planner::check_rule() const {
  if (config_.prior.rule != WeightRule::whiteness) return;
  for (const Measurement& each : config_.measurements) {
    if (!is_no_picture(each.steps)) continue;
    refuse(config_.prior.where,
           fmt::format("weight: auto looks at what pictures and volumes leave, and {} is a list "
                       "of values or Fourier coefficients: give risk or discrepancy",
                       each.file));
  }
}

double Planner::level_in_intensities() const {
  if (plan_.method.fidelity != FidelityKind::poisson) return plan_.method.noise_level;
  return plan_.method.noise_level *
         std::sqrt(std::max(plan_.scales.front() * facts_.front().mean / plan_.white, 1e-6));
}

}  // namespace restore
