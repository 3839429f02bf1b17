#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "tessera/comm/communicator.hpp"
#include "tessera/comm/partition.hpp"
#include "tessera/physics/linear_physics.hpp"
#include "tessera/physics/stacked.hpp"

namespace tessera {

/// How the operators of a distributed physics add up: which inner product of measurements its
/// adjoint, vector-Jacobian product and sum belong to.
enum class OperatorReduction {
  sum,  ///< <u, v> = sum_i <u_i, v_i>: adjoint(v) = sum_i A_i^T v_i
  mean  ///< <u, v> = 1/N sum_i <u_i, v_i>: adjoint(v) = 1/N sum_i A_i^T v_i; measurements stay what
        ///< they are
};

struct DistributedPhysicsOptions {
  /// Which rank holds which operator; the same on every rank. Default: contiguous shares.
  std::optional<Partition> partition = std::nullopt;
  OperatorReduction reduction = OperatorReduction::sum;
};

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
  std::vector<std::int64_t> held() const override;
  Communicator& communicator() const override { return *communicator_; }
  double measurement_weight() const override;
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
  TensorList do_forward(const Tensor& x) const override;
  TensorList do_measure(const Tensor& x) const override;
  Tensor do_adjoint(const TensorList& v) const override;
  Tensor do_normal_spectrum(const Tensor& x) const override;

  CommunicatorPtr communicator_;
  std::optional<Partition> partition_;
  OperatorReduction reduction_;
  std::vector<LinearPhysicsPtr> operators_;
};

}  // namespace tessera
