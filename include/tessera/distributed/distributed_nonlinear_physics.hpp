#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "tessera/distributed/distributed_physics.hpp"

namespace tessera {

/// Operators of any kind shared out over ranks, as DistributedPhysics does for linear ones:
/// forward() and measure() are local, vjp() is complete on every rank after one all-reduce.
class DistributedNonlinearPhysics : public Physics {
 public:
  using Factory = std::function<std::unique_ptr<Physics>(std::int64_t index)>;

  /// Collective. See DistributedPhysics.
  DistributedNonlinearPhysics(std::vector<PhysicsPtr> operators, CommunicatorPtr communicator,
                              DistributedPhysicsOptions options = {});
  /// Collective. See DistributedPhysics.
  DistributedNonlinearPhysics(std::int64_t count, const Factory& factory,
                              CommunicatorPtr communicator, DistributedPhysicsOptions options = {});

  std::string name() const override { return "distributed_nonlinear_physics"; }
  std::int64_t operator_count() const override { return partition_->items(); }
  std::vector<std::int64_t> held() const override;
  Communicator& communicator() const override { return *communicator_; }
  double measurement_weight() const override;
  const Partition& partition() const { return *partition_; }
  const std::vector<PhysicsPtr>& operators() const { return operators_; }

  /// Local. Of measurements that are known for all operators, those this rank holds.
  TensorList select(const TensorList& all) const;
  /// Collective. See DistributedPhysics::gather.
  TensorList gather(const TensorList& measurements) const;
  /// Collective. See DistributedPhysics::scatter.
  TensorList scatter(const TensorList& all, int root = 0) const;

 private:
  TensorList do_forward(const Tensor& x) const override;
  TensorList do_measure(const Tensor& x) const override;
  Tensor do_vjp(const Tensor& x, const TensorList& v) const override;

  CommunicatorPtr communicator_;
  std::optional<Partition> partition_;
  OperatorReduction reduction_;
  std::vector<PhysicsPtr> operators_;
};

}  // namespace tessera
