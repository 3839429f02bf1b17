// SPDX-License-Identifier: BSD-3-Clause
#include <fmt/format.h>

#include <algorithm>

#include "restore/planner.hpp"

namespace restore {

using restoration::FidelityKind;
using restoration::PriorKind;
using restoration::SolverKind;
using settings::name_of;

namespace {

std::int64_t default_iterations(SolverKind solver) {
  switch (solver) {
    case SolverKind::dpir:
      return 8;
    case SolverKind::primal_dual:
      return 300;
    case SolverKind::pnp:
    case SolverKind::mlem:
      return 30;
    default:
      return 50;
  }
}

}  // namespace

void Planner::settle_method() {
  restoration::Method& method = plan_.method;
  const PriorSettings& prior = config_.prior;
  const SolverSettings& solver = config_.solver;
  const bool is_likelihood = solver.name == SolverKind::mlem;
  plan_.prior = prior.name.value_or(is_likelihood                 ? PriorName::none
                                    : is_counted() || is_volume() ? PriorName::tv
                                                                  : PriorName::drunet);
  method.solver = solver.name.value_or(solver_of_prior());
  const bool denoises = method.solver == SolverKind::dpir || method.solver == SolverKind::pnp;
  method.prior = plan_.prior == PriorName::wavelet           ? PriorKind::wavelet
                 : plan_.prior == PriorName::ridge           ? PriorKind::ridge
                 : plan_.prior == PriorName::tv && !denoises ? PriorKind::tv
                                                             : PriorKind::pnp;
  check_parts();
  const bool has_likelihood =
      is_counted() && restoration::fit_together(method.solver, FidelityKind::poisson);
  method.fidelity = has_likelihood ? FidelityKind::poisson : FidelityKind::l2;
  method.iterations = solver.iterations.value_or(default_iterations(method.solver));
  // The next level corrects what the inner solutions leave.
  method.inner_solves = {
      .tolerance = 1e-4, .max_iterations = 50, .unconverged = tessera::Unconverged::accept};
  if (method.solver == SolverKind::pnp && plan_.prior != PriorName::dncnn) {
    method.denoiser_sigma_start = 0.1;
  }
  add_row("prior",
          fmt::format("{}{}", name_of(plan_.prior),
                      plan_.prior == PriorName::drunet
                          ? is_volume() && prior.weights.empty() ? " of pictures, inflated" : ""
                      : plan_.prior != PriorName::ridge ? ""
                      : !prior.weights.empty()          ? " of own weights"
                      : is_volume()                     ? " of volumes"
                                                        : " of grey images"),
          prior.name ? from_file : by_default);
  plan_.type = solver.precision == Precision::f64 ? at::kDouble : at::kFloat;
  add_row("solver",
          fmt::format("{}, {} iterations in {} precision", name_of(method.solver),
                      method.iterations, name_of(solver.precision)),
          solver.name ? from_file : by_default);
  add_row("likelihood",
          has_likelihood ? "of counts"
          : is_counted() ? "of counts, as Gaussian noise"
                         : "Gaussian",
          "noise and solver");
}

SolverKind Planner::solver_of_prior() const {
  switch (plan_.prior) {
    case PriorName::drunet:
      return SolverKind::dpir;
    case PriorName::dncnn:
      return SolverKind::pnp;
    case PriorName::tv:
      return SolverKind::primal_dual;
    case PriorName::ridge:
    case PriorName::wavelet:
      return SolverKind::proximal_gradient;
    case PriorName::none:
      break;
  }
  return SolverKind::mlem;
}

void Planner::check_parts() const {
  const SolverKind solver = plan_.method.solver;
  const std::string name(name_of(solver));
  const std::string& where = config_.solver.where;
  if (solver == SolverKind::mlem && plan_.prior != PriorName::none) {
    refuse(where, fmt::format("mlem takes no prior, and prior is {}: leave one of them out",
                              name_of(plan_.prior)));
  }
  if (solver == SolverKind::mlem && !is_counted()) {
    refuse(where, "mlem is for counts: give noise: {model: poisson, gain: ...}, or another solver");
  }
  if (plan_.prior == PriorName::none && solver != SolverKind::mlem) {
    refuse(config_.prior.where, fmt::format("none is for the solver mlem, and solver is {}", name));
  }
  const bool is_network = plan_.prior == PriorName::drunet || plan_.prior == PriorName::dncnn;
  if (plan_.prior == PriorName::wavelet) check_sides_are_even();
  if (plan_.prior == PriorName::dncnn && solver == SolverKind::dpir) {
    refuse(where, "dpir needs a denoiser of any level, and dncnn knows one: give the solver pnp");
  }
  if (plan_.prior == PriorName::dncnn && config_.prior.weights.empty()) {
    refuse(config_.prior.where, "no weights of dncnn are installed: give weights, a file");
  }
  if (!config_.prior.weights.empty() && !is_network && plan_.prior != PriorName::ridge) {
    refuse(config_.prior.where,
           fmt::format("weights are for drunet, dncnn and ridge, and the prior is {}",
                       name_of(plan_.prior)));
  }
  if (solver != SolverKind::mlem && !restoration::fit_together(solver, plan_.method.prior)) {
    refuse(where, fmt::format("{} does not take the prior {}", name, name_of(plan_.prior)));
  }
}

void Planner::check_sides_are_even() const {
  const at::IntArrayRef spatial = at::IntArrayRef(plan_.image).slice(2);
  const bool is_even =
      std::all_of(spatial.begin(), spatial.end(), [](std::int64_t side) { return side % 2 == 0; });
  if (is_even) return;
  refuse(config_.prior.where,
         fmt::format("wavelet halves the sides of the image, which is {}: give tv, or cut the "
                     "measurements to even sides",
                     size_words(spatial)));
}

}  // namespace restore
