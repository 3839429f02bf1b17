// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/ops/ones_like.h>
#include <ATen/ops/where.h>

#include <string>

#include "tessera/core/error.hpp"
#include "tessera/core/text.hpp"
#include "tessera/fidelity/data_fidelity.hpp"
#include "tessera/fidelity/poisson_distance.hpp"
#include "tessera/physics/linear_physics.hpp"
#include "tessera/solver/solver.hpp"
#include "tessera/solver/stopwatch.hpp"

namespace tessera {

struct MlemOptions {
  StoppingRules stopping = {};
};

/// Maximum likelihood by expectation maximisation for counts, y ~ Poisson(A x + b), with A >= 0 and
/// x >= 0 (Shepp and Vardi, IEEE Trans. Med. Imaging 1, 1982; for images Richardson, J. Opt. Soc.
/// Am. 62, 1972, and Lucy, Astron. J. 79, 1974):
///
///     x <- x / (A^T 1) * A^T (y / (A x + b))
///
/// Each iteration raises the likelihood and, without a background, keeps the total: sum(A x) =
/// sum(y). Begin with positive values: what is 0 stays 0. Late iterations fit the noise; stop
/// early.
class MLEM : public Solver {
 public:
  /// `fidelity` has a PoissonDistance and linear physics, else error::InvalidArgument. It must
  /// outlive the solver.
  explicit MLEM(const DataFidelity& fidelity, MlemOptions options = {});

  std::string name() const override { return "mlem"; }

 private:
  inline void do_start(SolverState& state) const override;
  inline void do_step(SolverState& state, StepTimes& times) const override;
  Communicator& do_communicator() const override { return fidelity_->communicator(); }
  const ImageSpace& do_space() const override { return fidelity_->space(); }

  const DataFidelity* fidelity_;
  const LinearPhysics* physics_;
  const PoissonDistance* distance_;
};

inline MLEM::MLEM(const DataFidelity& fidelity, MlemOptions options)
    : Solver(options.stopping),
      fidelity_(&fidelity),
      physics_(dynamic_cast<const LinearPhysics*>(&fidelity.physics())),
      distance_(dynamic_cast<const PoissonDistance*>(&fidelity.distance())) {
  if (physics_ == nullptr || distance_ == nullptr) {
    throw error::InvalidArgument(
        formatted("mlem: the fidelity has the distance {} and the physics {}, expected a "
                  "PoissonDistance and a linear physics",
                  fidelity.distance().name(), fidelity.physics().name()));
  }
}

inline void MLEM::do_start(SolverState& state) const {
  if (state.images.count("sensitivity") > 0) return;
  guarded(do_communicator(), "mlem", [&] {
    if (state.x.min().item<double>() >= 0) return;
    throw error::InvalidArgument(
        formatted("mlem: x0 has negative values, down to {}, expected 0 or more",
                  state.x.min().item<double>()));
  });
  TensorList ones;
  for (const Tensor& y : fidelity_->measurements()) ones.push_back(at::ones_like(y));
  state.images["sensitivity"] = physics_->adjoint(ones);
}

inline void MLEM::do_step(SolverState& state, StepTimes& times) const {
  state.x = timed(times.gradient, [&] {
    TensorList ratio = physics_->forward(state.x);
    for (std::size_t i = 0; i < ratio.size(); ++i) {
      ratio[i] = distance_->ratio(ratio[i], fidelity_->measurements()[i]);
    }
    const Tensor& sensitivity = state.images.at("sensitivity");
    const Tensor next = state.x * physics_->adjoint(ratio) / sensitivity;
    return at::where(sensitivity > 0, next, state.x);  // a pixel that nothing sees stays
  });
}

}  // namespace tessera
