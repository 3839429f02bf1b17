#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "tessera/distributed/detail/shard.hpp"
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
  inline std::vector<std::int64_t> held() const override;
  Communicator& communicator() const override { return *communicator_; }
  inline double measurement_weight() const override;
  const Partition& partition() const { return *partition_; }
  const std::vector<PhysicsPtr>& operators() const { return operators_; }

  /// Local. Of measurements that are known for all operators, those this rank holds.
  TensorList select(const TensorList& all) const;
  /// Collective. See DistributedPhysics::gather.
  TensorList gather(const TensorList& measurements) const;
  /// Collective. See DistributedPhysics::scatter.
  TensorList scatter(const TensorList& all, int root = 0) const;

 private:
  inline TensorList do_forward(const Tensor& x) const override;
  inline TensorList do_measure(const Tensor& x) const override;
  inline Tensor do_vjp(const Tensor& x, const TensorList& v) const override;

  CommunicatorPtr communicator_;
  std::optional<Partition> partition_;
  OperatorReduction reduction_;
  std::vector<PhysicsPtr> operators_;
};

namespace detail {

inline constexpr const char* nonlinear_physics = "DistributedNonlinearPhysics";

}  // namespace detail

inline DistributedNonlinearPhysics::DistributedNonlinearPhysics(std::vector<PhysicsPtr> operators,
                                                                CommunicatorPtr communicator,
                                                                DistributedPhysicsOptions options)
    : communicator_(detail::checked(communicator, detail::nonlinear_physics)),
      partition_(detail::agreed_partition(static_cast<std::int64_t>(operators.size()), options,
                                          *communicator_, detail::nonlinear_physics)),
      reduction_(options.reduction),
      operators_(detail::make_held<Physics>(
          *partition_, *communicator_, detail::nonlinear_physics,
          [&](std::int64_t index) { return operators[static_cast<std::size_t>(index)]; })) {}

inline DistributedNonlinearPhysics::DistributedNonlinearPhysics(std::int64_t count,
                                                                const Factory& factory,
                                                                CommunicatorPtr communicator,
                                                                DistributedPhysicsOptions options)
    : communicator_(detail::checked(communicator, detail::nonlinear_physics)),
      partition_(
          detail::agreed_partition(count, options, *communicator_, detail::nonlinear_physics)),
      reduction_(options.reduction),
      operators_(detail::make_held<Physics>(*partition_, *communicator_, detail::nonlinear_physics,
                                            factory)) {}

inline std::vector<std::int64_t> DistributedNonlinearPhysics::held() const {
  return partition_->of(communicator_->rank());
}

inline double DistributedNonlinearPhysics::measurement_weight() const {
  return detail::weight(reduction_, operator_count());
}

inline TensorList DistributedNonlinearPhysics::select(const TensorList& all) const {
  return detail::select_held(all, *partition_, communicator_->rank(), name() + ".select");
}

inline TensorList DistributedNonlinearPhysics::gather(const TensorList& measurements) const {
  return detail::gather_held(measurements, *partition_, *communicator_, name() + ".gather");
}

inline TensorList DistributedNonlinearPhysics::scatter(const TensorList& all, int root) const {
  return detail::scatter_held(all, root, *partition_, *communicator_, name() + ".scatter");
}

inline TensorList DistributedNonlinearPhysics::do_forward(const Tensor& x) const {
  TensorList y;
  for (const PhysicsPtr& one : operators_) y.push_back(one->forward(x).front());
  return y;
}

inline TensorList DistributedNonlinearPhysics::do_measure(const Tensor& x) const {
  TensorList y;
  for (const PhysicsPtr& one : operators_) y.push_back(one->measure(x).front());
  return y;
}

inline Tensor DistributedNonlinearPhysics::do_vjp(const Tensor& x, const TensorList& v) const {
  const std::string who = name() + ".vjp";
  return detail::sum_over_ranks(*communicator_, who, measurement_weight(), [&](Tensor& sum) {
    for (std::size_t i = 0; i < operators_.size(); ++i)
      detail::accumulate(sum, operators_[i]->vjp(x, {v[i]}), who);
  });
}

}  // namespace tessera
