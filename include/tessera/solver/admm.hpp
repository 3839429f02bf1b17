// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/ops/zeros_like.h>

#include <string>

#include "tessera/core/check.hpp"
#include "tessera/solver/solver.hpp"
#include "tessera/solver/stopwatch.hpp"

namespace tessera {

struct AdmmOptions {
  /// Step of both proximal operators, > 0: 1 / rho in the usual notation. Any step converges for
  /// convex parts; how fast depends on it.
  double step = 1.0;
  /// Weight of the prior, > 0: its proximal operator is given step * weight.
  double weight = 1.0;
  StoppingRules stopping = {};
};

/// Alternating direction method of multipliers for min f(x) + weight g(z), x = z, with scaled
/// multipliers u (Boyd and others, Found. Trends Mach. Learn. 3, 2011, section 3.1.1):
///
///     v <- prox_f(x - u, step);   x <- prox_g(v + u, step weight);   u <- u + v - x
///
/// SolverState::x is z above, the prior's result. With a denoiser as prior this is PnP-ADMM
/// (Venkatakrishnan, Bouman, Wohlberg, GlobalSIP 2013), which converges if Id - D is a contraction
/// and f strongly convex (Ryu and others, ICML 2019), else without a guarantee. The fidelity has a
/// proximal operator: L2 or ClippedL2.
template <FidelityLike Fidelity, PriorLike P>
class ADMM : public Solver {
 public:
  /// `fidelity` and `prior` must outlive the solver.
  ADMM(const Fidelity& fidelity, const P& prior, AdmmOptions options = {})
      : Solver(options.stopping), fidelity_(&fidelity), prior_(&prior), options_(options) {
    check_positive(options_.step, "admm", "step");
    check_positive(options_.weight, "admm", "weight");
  }

  std::string name() const override { return "admm"; }
  Guarantee guarantee() const override {
    const bool holds = detail::is_convex(*fidelity_) && detail::is_convex(*prior_);
    return holds ? Guarantee::minimum : Guarantee::none;
  }
  const AdmmOptions& options() const { return options_; }

 private:
  void do_start(SolverState& state) const override {
    if (state.images.count("multiplier") == 0) state.images["multiplier"] = at::zeros_like(state.x);
  }

  void do_step(SolverState& state, StepTimes& times) const override {
    const Tensor u = state.images.at("multiplier");
    const Tensor v =
        timed(times.gradient, [&] { return fidelity_->prox(state.x - u, options_.step); });
    state.x =
        timed(times.prior, [&] { return prior_->prox(v + u, options_.step * options_.weight); });
    state.images["multiplier"] = u + v - state.x;
  }

  Communicator& do_communicator() const override { return ranks_of(*fidelity_, *prior_); }
  const ImageSpace& do_space() const override { return space_of(*fidelity_, *prior_); }

  const Fidelity* fidelity_;
  const P* prior_;
  AdmmOptions options_;
};

}  // namespace tessera
