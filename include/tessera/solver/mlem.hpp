// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/ops/ones_like.h>
#include <ATen/ops/where.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tessera/core/error.hpp"
#include "tessera/core/text.hpp"
#include "tessera/distributed/distributed_physics.hpp"
#include "tessera/fidelity/data_fidelity.hpp"
#include "tessera/fidelity/poisson_distance.hpp"
#include "tessera/physics/linear_physics.hpp"
#include "tessera/physics/stacked.hpp"
#include "tessera/solver/solver.hpp"
#include "tessera/solver/stopwatch.hpp"

namespace tessera {

struct MlemOptions {
  /// Ordered subsets (OSEM: Hudson and Larkin, IEEE Trans. Med. Imaging 13, 1994): the operators
  /// are dealt out into as many subsets by their index, i to i modulo subsets, and an iteration
  /// goes through all of them, one after another, at the cost of one iteration over all data. 1 to
  /// the number of operators.
  std::int64_t subsets = 1;
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
///
/// With S subsets the first iterations come about S times as far, but later ones need not raise the
/// likelihood: where subsets contradict one another, iterates end in a cycle around the maximum.
/// The total of the last subset is kept. A^T 1 of each subset is an image of the state.
class MLEM : public Solver {
 public:
  /// `fidelity` has a PoissonDistance and linear physics, which is a StackedPhysics or a
  /// DistributedPhysics if there are several subsets; else error::InvalidArgument, as for a number
  /// of subsets that cannot be. It must outlive the solver. Collective if the physics is
  /// distributed and there are several subsets.
  explicit MLEM(const DataFidelity& fidelity, MlemOptions options = {});

  std::string name() const override { return parts_.size() > 1 ? "osem" : "mlem"; }
  /// The fidelity falls, for A >= 0; with subsets not always.
  Guarantee guarantee() const override {
    return parts_.size() > 1 ? Guarantee::none : Guarantee::descent;
  }

 private:
  /// Operators that are taken together.
  struct Part {
    LinearPhysicsPtr physics;
    TensorList counts;  ///< of those this rank holds
  };

  inline void do_start(SolverState& state) const override;
  inline void do_step(SolverState& state, StepTimes& times) const override;
  Communicator& do_communicator() const override { return fidelity_->communicator(); }
  const ImageSpace& do_space() const override { return fidelity_->space(); }
  static std::string sensitivity_of(std::size_t i) { return formatted("sensitivity {}", i); }

  const DataFidelity* fidelity_;
  const PoissonDistance* distance_;
  std::vector<Part> parts_;
};

namespace detail {

/// The operators of these indices. Collective if distributed. Throws error::InvalidArgument for a
/// physics that is neither a stack nor shared out.
inline LinearPhysicsPtr subset_of(const LinearPhysics& physics,
                                  const std::vector<std::int64_t>& indices) {
  if (const auto* stack = dynamic_cast<const StackedPhysics*>(&physics)) {
    return std::make_shared<StackedPhysics>(stack->subset(indices));
  }
  if (const auto* shared = dynamic_cast<const DistributedPhysics*>(&physics)) {
    return std::make_shared<DistributedPhysics>(shared->subset(indices));
  }
  throw error::InvalidArgument(
      formatted("mlem: the physics {} has no subsets, expected a StackedPhysics or a "
                "DistributedPhysics",
                physics.name()));
}

}  // namespace detail

inline MLEM::MLEM(const DataFidelity& fidelity, MlemOptions options)
    : Solver(options.stopping),
      fidelity_(&fidelity),
      distance_(dynamic_cast<const PoissonDistance*>(&fidelity.distance())) {
  const auto* physics = dynamic_cast<const LinearPhysics*>(&fidelity.physics());
  if (physics == nullptr || distance_ == nullptr) {
    throw error::InvalidArgument(
        formatted("mlem: the fidelity has the distance {} and the physics {}, expected a "
                  "PoissonDistance and a linear physics",
                  fidelity.distance().name(), fidelity.physics().name()));
  }
  const std::int64_t count = physics->operator_count();
  if (options.subsets < 1 || options.subsets > count) {
    throw error::InvalidArgument(formatted(
        "mlem: subsets is {}, expected 1 to the number of operators, {}", options.subsets, count));
  }
  if (options.subsets == 1) {
    parts_.push_back({LinearPhysicsPtr(LinearPhysicsPtr(), physics), fidelity.measurements()});
    return;
  }
  const std::vector<std::int64_t> held = physics->held();
  for (std::int64_t subset = 0; subset < options.subsets; ++subset) {
    std::vector<std::int64_t> indices;
    for (std::int64_t i = subset; i < count; i += options.subsets) indices.push_back(i);
    Part part{detail::subset_of(*physics, indices), {}};
    for (std::size_t i = 0; i < held.size(); ++i) {
      if (held[i] % options.subsets == subset) part.counts.push_back(fidelity.measurements()[i]);
    }
    parts_.push_back(std::move(part));
  }
}

inline void MLEM::do_start(SolverState& state) const {
  if (state.images.count(sensitivity_of(0)) > 0) return;
  guarded(do_communicator(), "mlem", [&] {
    if (state.x.min().item<double>() >= 0) return;
    throw error::InvalidArgument(
        formatted("mlem: x0 has negative values, down to {}, expected 0 or more",
                  state.x.min().item<double>()));
  });
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    TensorList ones;
    for (const Tensor& y : parts_[i].counts) ones.push_back(at::ones_like(y));
    state.images[sensitivity_of(i)] = parts_[i].physics->adjoint(ones);
  }
}

inline void MLEM::do_step(SolverState& state, StepTimes& times) const {
  state.x = timed(times.gradient, [&] {
    Tensor x = state.x;
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      TensorList ratio = parts_[i].physics->forward(x);
      for (std::size_t k = 0; k < ratio.size(); ++k) {
        ratio[k] = distance_->ratio(ratio[k], parts_[i].counts[k]);
      }
      const Tensor& sensitivity = state.images.at(sensitivity_of(i));
      const Tensor next = x * parts_[i].physics->adjoint(ratio) / sensitivity;
      x = at::where(sensitivity > 0, next, x);  // a pixel that nothing sees stays
    }
    return x;
  });
}

}  // namespace tessera
