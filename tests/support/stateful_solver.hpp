// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/ops/zeros_like.h>

#include <string>
#include <utility>

#include "tessera/core/error.hpp"
#include "tessera/physics/linear_physics.hpp"
#include "tessera/solver/solver.hpp"

namespace test {

using tessera::Tensor;
using tessera::TensorList;

/// A method whose state has one of each kind: heavy-ball momentum (an image), duals of the
/// measurements (one per held operator) and a step that shrinks (a number).
class StatefulSolver : public tessera::Solver {
 public:
  StatefulSolver(tessera::LinearPhysicsPtr physics, TensorList measurements,
                 std::int64_t iterations)
      : Solver({.max_iterations = iterations}),
        physics_(std::move(physics)),
        measurements_(std::move(measurements)) {}
  std::string name() const override { return "stateful"; }

 private:
  void do_start(tessera::SolverState& state) const override {
    state.images.try_emplace("momentum", at::zeros_like(state.x));
    state.numbers.try_emplace("step", 0.1);
    if (state.measured.count("dual") > 0) return;
    TensorList& duals = state.measured["dual"];
    for (const Tensor& y : measurements_) duals.push_back(at::zeros_like(y));
  }

  void do_step(tessera::SolverState& state, StepTimes& times) const override {
    double& step = state.numbers.at("step");
    timed(times.gradient, [&] {
      TensorList& duals = state.measured.at("dual");
      const TensorList predicted = physics_->forward(state.x);
      for (std::size_t i = 0; i < duals.size(); ++i) {
        duals[i] = (duals[i] + 0.5 * (predicted[i] - measurements_.at(i))) / 1.5;
      }
      state.images["momentum"] =
          0.7 * state.images.at("momentum") - step * physics_->adjoint(duals);
      return state.images["momentum"];
    });
    state.x = state.x + state.images["momentum"];
    step /= 1.1;
  }

  tessera::Communicator& do_communicator() const override { return physics_->communicator(); }

  tessera::LinearPhysicsPtr physics_;
  TensorList measurements_;
};

}  // namespace test
