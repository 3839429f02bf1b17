// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/ops/zeros_like.h>

#include <cmath>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tessera/core/check.hpp"
#include "tessera/core/error.hpp"
#include "tessera/core/text.hpp"
#include "tessera/fidelity/data_fidelity.hpp"
#include "tessera/physics/linear_physics.hpp"
#include "tessera/prior/prior.hpp"
#include "tessera/solver/solver.hpp"
#include "tessera/solver/stopwatch.hpp"

namespace tessera {

/// weight * prior(map x): total variation is FiniteDifferences and a GroupL1Prior.
struct MappedPrior {
  LinearPhysicsPtr map;  ///< one operator, on images of the fidelity's space
  PriorPtr prior;        ///< by its proximal operator, on what the map makes
  double weight = 1.0;   ///< > 0
};

struct PrimalDualOptions {
  /// Primal step tau and dual step sigma; both, or neither, else error::InvalidArgument. They
  /// converge if tau (sigma ||K||^2 + L / 2) <= 1, with the norm ||K||^2 of all maps on top of one
  /// another and L the Lipschitz constant of what is taken by its gradient. Unset: equality, from
  /// the norms, which are found at the beginning of a run and kept in SolverState::numbers, and
  /// from `ratio`.
  std::optional<double> primal_step = {};
  std::optional<double> dual_step = {};
  /// sigma / tau, > 0, where they are found: about ||dual solution||^2 / ||x0 - x*||^2 is best.
  double ratio = 1.0;
  /// Takes the fidelity by its gradient, with error::InvalidArgument where no Lipschitz constant is
  /// known, and not by the proximal operator of its distance.
  bool smooth_fidelity = false;
  StoppingRules stopping = {};
};

/// Minimises f(x) + sum_i weight_i g_i(K_i x) + h(x), with all parts convex, by proximal operators
/// of the parts alone: no linear system is solved (Chambolle and Pock, J. Math. Imaging Vis. 40,
/// 2011; with f by its gradient: Condat, J. Optim. Theory Appl. 158, 2013; Vu, Adv. Comput. Math.
/// 38, 2013). With dual variables u of the measurements, w_i of the maps:
///
///     x' = prox_{tau h}(x - tau (A^T u + sum_i K_i^T w_i)),   z = 2 x' - x
///     u  = prox_{sigma d*}(u + sigma A z),    w_i = prox_{sigma (weight_i g_i)*}(w_i + sigma K_i
///     z)
///
/// f is any fidelity whose distance has a proximal operator and whose physics is linear, shared out
/// over ranks or not: each rank keeps the dual variables of its operators, and an iteration costs
/// one all-reduce, as a gradient does.
class PrimalDual : public Solver {
 public:
  /// `fidelity` must outlive the solver. `constraint` is h; null: none.
  PrimalDual(const DataFidelity& fidelity, std::vector<MappedPrior> priors,
             PriorPtr constraint = nullptr, PrimalDualOptions options = {});

  std::string name() const override { return "primal_dual"; }
  inline Guarantee guarantee() const override;
  const PrimalDualOptions& options() const { return options_; }

 private:
  inline void do_start(SolverState& state) const override;
  inline void do_step(SolverState& state, StepTimes& times) const override;
  Communicator& do_communicator() const override { return fidelity_->communicator(); }
  const ImageSpace& do_space() const override { return fidelity_->space(); }
  void choose_steps(SolverState& state) const;
  static std::string dual_of(std::size_t i) { return formatted("dual {}", i); }

  const DataFidelity* fidelity_;
  const LinearPhysics* physics_;
  std::vector<MappedPrior> priors_;
  PriorPtr constraint_;
  PrimalDualOptions options_;
};

inline PrimalDual::PrimalDual(const DataFidelity& fidelity, std::vector<MappedPrior> priors,
                              PriorPtr constraint, PrimalDualOptions options)
    : Solver(options.stopping),
      fidelity_(&fidelity),
      physics_(dynamic_cast<const LinearPhysics*>(&fidelity.physics())),
      priors_(std::move(priors)),
      constraint_(std::move(constraint)),
      options_(options) {
  if (physics_ == nullptr) {
    throw error::InvalidArgument(formatted(
        "primal_dual: the physics {} of the fidelity is not linear", fidelity.physics().name()));
  }
  if (options_.primal_step.has_value() != options_.dual_step.has_value()) {
    throw error::InvalidArgument(
        "primal_dual: one of primal_step and dual_step is given, expected both or neither");
  }
  if (options_.primal_step) {
    check_positive(*options_.primal_step, "primal_dual", "primal_step");
    check_positive(*options_.dual_step, "primal_dual", "dual_step");
  }
  check_positive(options_.ratio, "primal_dual", "ratio");
  for (const MappedPrior& each : priors_) {
    if (!each.map || !each.prior) {
      throw error::InvalidArgument("primal_dual: a mapped prior has no map or no prior");
    }
    const ImageSpace& space = each.map->space();
    const bool is_single = each.map->operator_count() == 1 &&
                           each.map->communicator().size() == space.communicator().size();
    if (!is_single || &space != &fidelity.space()) {
      throw error::InvalidArgument(
          formatted("primal_dual: the map {} has {} operators on {} ranks, expected one on this "
                    "rank, or on shared-out images of the fidelity's space",
                    each.map->name(), each.map->operator_count(), each.map->communicator().size()));
    }
    check_positive(each.weight, "primal_dual", "the weight of a mapped prior");
  }
}

inline Guarantee PrimalDual::guarantee() const {
  bool holds =
      options_.smooth_fidelity ? detail::is_convex_and_smooth(*fidelity_) : fidelity_->is_convex();
  for (const MappedPrior& each : priors_) holds = holds && each.prior->is_convex();
  holds = holds && (!constraint_ || constraint_->is_convex());
  return holds ? Guarantee::minimum : Guarantee::none;
}

inline void PrimalDual::choose_steps(SolverState& state) const {
  double smooth = 0;
  double norm_squared = 0;
  if (options_.smooth_fidelity) {
    const std::optional<double> lipschitz = fidelity_->gradient_lipschitz(state.x);
    if (!lipschitz) {
      throw error::InvalidArgument(formatted(
          "primal_dual: smooth_fidelity, and {} has no Lipschitz constant of its gradient",
          fidelity_->name()));
    }
    smooth = *lipschitz;
  } else {
    norm_squared = physics_->norm_squared(state.x);
  }
  for (const MappedPrior& each : priors_) norm_squared += each.map->norm_squared(state.x);
  // tau (ratio tau norm_squared + smooth / 2) = 1
  const double a = options_.ratio * norm_squared;
  const double b = smooth / 2;
  const double tau = 2 / (b + std::sqrt(b * b + 4 * a));
  state.numbers["primal_step"] = tau;
  state.numbers["dual_step"] = options_.ratio * tau;
}

inline void PrimalDual::do_start(SolverState& state) const {
  if (options_.primal_step) {
    state.numbers["primal_step"] = *options_.primal_step;
    state.numbers["dual_step"] = *options_.dual_step;
  } else if (state.numbers.count("primal_step") == 0) {
    choose_steps(state);
  }
  if (!options_.smooth_fidelity && state.measured.count("dual") == 0) {
    TensorList duals;
    for (const Tensor& y : fidelity_->measurements()) duals.push_back(at::zeros_like(y));
    state.measured["dual"] = std::move(duals);
  }
  if (state.images.count("ahead") == 0) state.images["ahead"] = state.x;
  for (std::size_t i = 0; i < priors_.size(); ++i) {
    if (state.images.count(dual_of(i)) > 0) continue;
    state.images[dual_of(i)] = at::zeros_like(priors_[i].map->forward(state.x).front());
  }
}

inline void PrimalDual::do_step(SolverState& state, StepTimes& times) const {
  const double tau = state.numbers.at("primal_step");
  const double sigma = state.numbers.at("dual_step");
  const Tensor x = state.x;
  const Tensor z = state.images.at("ahead");
  const Tensor descent = timed(times.gradient, [&] {
    if (options_.smooth_fidelity) return fidelity_->gradient(x);
    TensorList duals = physics_->forward(z);
    const TensorList& before = state.measured.at("dual");
    for (std::size_t i = 0; i < duals.size(); ++i) {
      duals[i] = fidelity_->distance().conjugate_prox(before[i] + sigma * duals[i],
                                                      fidelity_->measurements()[i], sigma);
    }
    state.measured["dual"] = duals;
    return physics_->adjoint(duals);
  });
  state.x = timed(times.prior, [&] {
    Tensor direction = descent;
    for (std::size_t i = 0; i < priors_.size(); ++i) {
      const MappedPrior& each = priors_[i];
      const Tensor v = state.images.at(dual_of(i)) + sigma * each.map->forward(z).front();
      // Moreau's identity.
      const Tensor dual = v - sigma * each.prior->prox(v / sigma, each.weight / sigma);
      state.images[dual_of(i)] = dual;
      direction = direction + each.map->adjoint({dual});
    }
    const Tensor next = x - tau * direction;
    return constraint_ ? constraint_->prox(next, tau) : next;
  });
  state.images["ahead"] = 2 * state.x - x;
}

}  // namespace tessera
