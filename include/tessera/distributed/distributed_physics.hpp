#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "tessera/comm/communicator.hpp"
#include "tessera/comm/partition.hpp"
#include "tessera/comm/tensor_view.hpp"
#include "tessera/distributed/detail/filter_sum.hpp"
#include "tessera/distributed/detail/shard.hpp"
#include "tessera/distributed/distributed_options.hpp"
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
class DistributedPhysics : public LinearPhysics {
 public:
  /// Makes operator `index`; called on its owner alone.
  using Factory = std::function<std::unique_ptr<LinearPhysics>(std::int64_t index)>;

  /// Collective. `operators` lists all of them on every rank; a rank keeps those it owns. Throws
  /// error::RankFailure on every rank if a rank's arguments do not fit (an undefined operator, a
  /// stack in the list, a partition of other items or ranks) or differ from another's.
  DistributedPhysics(std::vector<LinearPhysicsPtr> operators, CommunicatorPtr communicator,
                     DistributedPhysicsOptions options = {});

  /// Collective. The operators of a stack that every rank has.
  DistributedPhysics(const StackedPhysics& stack, CommunicatorPtr communicator,
                     DistributedPhysicsOptions options = {})
      : DistributedPhysics(stack.operators(), std::move(communicator), std::move(options)) {}

  /// Collective. `count` operators, each made on its owner. A factory that throws on one rank makes
  /// every rank throw error::RankFailure.
  DistributedPhysics(std::int64_t count, const Factory& factory, CommunicatorPtr communicator,
                     DistributedPhysicsOptions options = {});

  std::string name() const override { return "distributed_physics"; }
  std::int64_t operator_count() const override { return partition_->items(); }
  inline std::vector<std::int64_t> held() const override;
  Communicator& communicator() const override { return *communicator_; }
  inline double measurement_weight() const override;
  const Partition& partition() const { return *partition_; }
  /// The operators this rank holds, in the order of held().
  const std::vector<LinearPhysicsPtr>& operators() const { return operators_; }

  /// Local. Of measurements that are known for all operators, those this rank holds.
  TensorList select(const TensorList& all) const;

  /// Collective. Every operator's measurement, on every rank, in operator order: one small and one
  /// large collective through host memory. Shapes and dtypes may differ from operator to operator.
  TensorList gather(const TensorList& measurements) const;

  /// Collective. Hands the measurements of all operators, which only rank `root` need have, to the
  /// ranks that hold the operators; in host memory.
  TensorList scatter(const TensorList& all, int root = 0) const;

  /// Collective. (1/N) sum_i A_i^+ y_i, as StackedPhysics::mean_of_pseudo_inverses: each operator
  /// inverted alone, by its rank, one all-reduce. Not the least-squares solution, which
  /// pseudo_inverse gives.
  Tensor mean_of_pseudo_inverses(const TensorList& y,
                                 const ConjugateGradientOptions& options = {}) const;

 private:
  inline TensorList do_forward(const Tensor& x) const override;
  inline TensorList do_measure(const Tensor& x) const override;
  inline Tensor do_adjoint(const TensorList& v) const override;
  inline NormalFilter do_normal_filter(const Tensor& x) const override;

  CommunicatorPtr communicator_;
  std::optional<Partition> partition_;
  OperatorReduction reduction_;
  std::vector<LinearPhysicsPtr> operators_;
};

namespace detail {

inline constexpr const char* linear_physics = "DistributedPhysics";

}  // namespace detail

inline DistributedPhysics::DistributedPhysics(std::vector<LinearPhysicsPtr> operators,
                                              CommunicatorPtr communicator,
                                              DistributedPhysicsOptions options)
    : communicator_(detail::checked(communicator, detail::linear_physics)),
      partition_(detail::agreed_partition(static_cast<std::int64_t>(operators.size()), options,
                                          *communicator_, detail::linear_physics)),
      reduction_(options.reduction),
      operators_(detail::make_held<LinearPhysics>(
          *partition_, *communicator_, detail::linear_physics,
          [&](std::int64_t index) { return operators[static_cast<std::size_t>(index)]; })) {}

inline DistributedPhysics::DistributedPhysics(std::int64_t count, const Factory& factory,
                                              CommunicatorPtr communicator,
                                              DistributedPhysicsOptions options)
    : communicator_(detail::checked(communicator, detail::linear_physics)),
      partition_(detail::agreed_partition(count, options, *communicator_, detail::linear_physics)),
      reduction_(options.reduction),
      operators_(detail::make_held<LinearPhysics>(*partition_, *communicator_,
                                                  detail::linear_physics, factory)) {}

inline std::vector<std::int64_t> DistributedPhysics::held() const {
  return partition_->of(communicator_->rank());
}

inline double DistributedPhysics::measurement_weight() const {
  return detail::weight(reduction_, operator_count());
}

inline TensorList DistributedPhysics::select(const TensorList& all) const {
  return detail::select_held(all, *partition_, communicator_->rank(), name() + ".select");
}

inline TensorList DistributedPhysics::gather(const TensorList& measurements) const {
  return detail::gather_held(measurements, *partition_, *communicator_, name() + ".gather");
}

inline TensorList DistributedPhysics::scatter(const TensorList& all, int root) const {
  return detail::scatter_held(all, root, *partition_, *communicator_, name() + ".scatter");
}

inline TensorList DistributedPhysics::do_forward(const Tensor& x) const {
  return detail::forward_each(operators_, x);
}

inline TensorList DistributedPhysics::do_measure(const Tensor& x) const {
  TensorList y;
  for (const LinearPhysicsPtr& one : operators_) y.push_back(one->measure(x).front());
  return y;
}

inline Tensor DistributedPhysics::do_adjoint(const TensorList& v) const {
  const std::string who = name() + ".adjoint";
  return detail::sum_over_ranks(*communicator_, who, measurement_weight(), [&](Tensor& sum) {
    const Tensor mine = detail::adjoint_sum(operators_, v, who);
    if (mine.defined()) detail::accumulate(sum, mine, who);
  });
}

inline Tensor DistributedPhysics::mean_of_pseudo_inverses(
    const TensorList& y, const ConjugateGradientOptions& options) const {
  const std::string who = name() + ".mean_of_pseudo_inverses";
  const double weight = detail::weight(OperatorReduction::mean, operator_count());
  return detail::sum_over_ranks(*communicator_, who, weight, [&](Tensor& sum) {
    check_measurements(y, "mean_of_pseudo_inverses");
    for (std::size_t i = 0; i < operators_.size(); ++i)
      detail::accumulate(sum, operators_[i]->pseudo_inverse({y[i]}, options), who);
  });
}

inline NormalFilter DistributedPhysics::do_normal_filter(const Tensor& x) const {
  return detail::sum_of_filters_over_ranks(communicator(), name() + ".normal_filter",
                                           measurement_weight(), operators(), x);
}

}  // namespace tessera
