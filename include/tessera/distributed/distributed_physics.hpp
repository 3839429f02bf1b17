// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "tessera/comm/agreement.hpp"
#include "tessera/comm/communicator.hpp"
#include "tessera/core/text.hpp"
#include "tessera/distributed/detail/filter_sum.hpp"
#include "tessera/distributed/sharded_physics.hpp"
#include "tessera/physics/detail/shared_transforms.hpp"
#include "tessera/physics/linear_physics.hpp"
#include "tessera/physics/stacked.hpp"

namespace tessera {

/// Linear operators shared out over ranks: each rank holds, applies and measures with its own ones
/// only.
///
/// The image is replicated, measurements are never: forward() and measure() are local and return
/// what this rank holds; adjoint() adds up locally, then over ranks in one all-reduce, so that it
/// is complete, and the same bits, on every rank. A rank may hold no operator. Both reductions are
/// exact adjoints: physics.sum(<A x, v> of the held ones) = <x, adjoint(v)>.
class DistributedPhysics : public ShardedPhysics<LinearPhysics> {
 public:
  /// Collective. `operators` lists all of them on every rank; a rank keeps those it owns. Throws
  /// error::RankFailure on every rank if a rank's arguments do not fit (an undefined operator, a
  /// stack in the list, a partition of other items or ranks) or differ from another's.
  DistributedPhysics(const std::vector<LinearPhysicsPtr>& operators, CommunicatorPtr communicator,
                     const DistributedPhysicsOptions& options = {})
      : ShardedPhysics(Shard<LinearPhysics>("DistributedPhysics", operators,
                                            std::move(communicator), options)) {}

  /// Collective. The operators of a stack that every rank has.
  DistributedPhysics(const StackedPhysics& stack, CommunicatorPtr communicator,
                     const DistributedPhysicsOptions& options = {})
      : DistributedPhysics(stack.operators(), std::move(communicator), options) {}

  /// Collective. `count` operators, each made on its owner. A factory that throws on one rank makes
  /// every rank throw error::RankFailure.
  DistributedPhysics(std::int64_t count, const Factory& factory, CommunicatorPtr communicator,
                     const DistributedPhysicsOptions& options = {})
      : ShardedPhysics(Shard<LinearPhysics>("DistributedPhysics", count, factory,
                                            std::move(communicator), options)) {}

  std::string name() const override { return "distributed_physics"; }

  /// Collective. The operators of these indices, in this order, each on the rank that holds it
  /// here: for methods that take some of the data at a time. Throws on every rank without any, or
  /// beyond the last. A mean is then that of the subset.
  DistributedPhysics subset(const std::vector<std::int64_t>& indices) const {
    return DistributedPhysics(shard().subset(formatted("{}.subset", name()), indices));
  }

  /// Collective. (1/N) sum_i A_i^+ y_i, as StackedPhysics::mean_of_pseudo_inverses: each operator
  /// inverted alone, by its rank, one all-reduce. Not the least-squares solution, which
  /// pseudo_inverse gives.
  Tensor mean_of_pseudo_inverses(const TensorList& y,
                                 const ConjugateGradientOptions& options = {}) const;

 private:
  explicit DistributedPhysics(Shard<LinearPhysics> shard) : ShardedPhysics(std::move(shard)) {}

  inline TensorList do_forward(const Tensor& x) const override;
  inline Tensor do_adjoint(const TensorList& v) const override;
  inline Tensor do_normal(const Tensor& x) const override;
  inline bool do_has_fused_normal(const Tensor& x) const override;
  inline NormalFilter do_normal_filter(const Tensor& x) const override;
};

// One transform of x for all circular blurs that this rank holds.
inline TensorList DistributedPhysics::do_forward(const Tensor& x) const {
  return detail::forward_each(operators(), x);
}

inline Tensor DistributedPhysics::do_adjoint(const TensorList& v) const {
  const std::string who = formatted("{}.adjoint", name());
  return shard().sum(who, measurement_weight(), [&](Tensor& sum) {
    const Tensor mine = detail::adjoint_sum(operators(), v, who);
    if (mine.defined()) detail::accumulate(sum, mine, who);
  });
}

inline Tensor DistributedPhysics::mean_of_pseudo_inverses(
    const TensorList& y, const ConjugateGradientOptions& options) const {
  const std::string function = "mean_of_pseudo_inverses";
  const std::string who = formatted("{}.{}", name(), function);
  fail_together(communicator(), who, [&] { check_measurements(y, function); });
  return shard().sum_each(
      who, 1.0 / static_cast<double>(operator_count()),
      [&](const LinearPhysics& one, std::size_t i) { return one.pseudo_inverse({y[i]}, options); });
}

inline Tensor DistributedPhysics::do_normal(const Tensor& x) const {
  if (!has_fused_normal(x)) return adjoint(forward(x));
  return shard().sum_each(
      formatted("{}.normal", name()), measurement_weight(),
      [&](const LinearPhysics& one, std::size_t /*i*/) { return one.normal(x); });
}

inline bool DistributedPhysics::do_has_fused_normal(const Tensor& x) const {
  std::int64_t lacks = 0;
  guarded(communicator(), formatted("{}.has_fused_normal", name()),
          [&] { lacks = detail::all_have_fused_normals(operators(), x) ? 0 : 1; }, {&lacks, 1});
  return lacks == 0;
}

inline NormalFilter DistributedPhysics::do_normal_filter(const Tensor& x) const {
  return detail::sum_of_filters_over_ranks(communicator(), formatted("{}.normal_filter", name()),
                                           measurement_weight(), operators(), x);
}

}  // namespace tessera
