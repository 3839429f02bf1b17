#include "tessera/distributed/distributed_nonlinear_physics.hpp"

#include "shard.hpp"

namespace tessera {

namespace {

constexpr const char* constructor = "DistributedNonlinearPhysics";

}  // namespace

DistributedNonlinearPhysics::DistributedNonlinearPhysics(std::vector<PhysicsPtr> operators,
                                                         CommunicatorPtr communicator,
                                                         DistributedPhysicsOptions options)
    : communicator_(detail::checked(communicator, constructor)),
      partition_(detail::agreed_partition(static_cast<std::int64_t>(operators.size()), options,
                                          *communicator_, constructor)),
      reduction_(options.reduction),
      operators_(detail::make_held<Physics>(
          *partition_, *communicator_, constructor,
          [&](std::int64_t index) { return operators[static_cast<std::size_t>(index)]; })) {}

DistributedNonlinearPhysics::DistributedNonlinearPhysics(std::int64_t count, const Factory& factory,
                                                         CommunicatorPtr communicator,
                                                         DistributedPhysicsOptions options)
    : communicator_(detail::checked(communicator, constructor)),
      partition_(detail::agreed_partition(count, options, *communicator_, constructor)),
      reduction_(options.reduction),
      operators_(detail::make_held<Physics>(*partition_, *communicator_, constructor, factory)) {}

std::vector<std::int64_t> DistributedNonlinearPhysics::held() const {
  return partition_->of(communicator_->rank());
}

double DistributedNonlinearPhysics::measurement_weight() const {
  return detail::weight(reduction_, operator_count());
}

TensorList DistributedNonlinearPhysics::select(const TensorList& all) const {
  return detail::select_held(all, *partition_, communicator_->rank(), name() + ".select");
}

TensorList DistributedNonlinearPhysics::gather(const TensorList& measurements) const {
  return detail::gather_held(measurements, *partition_, *communicator_, name() + ".gather");
}

TensorList DistributedNonlinearPhysics::scatter(const TensorList& all, int root) const {
  return detail::scatter_held(all, root, *partition_, *communicator_, name() + ".scatter");
}

TensorList DistributedNonlinearPhysics::do_forward(const Tensor& x) const {
  TensorList y;
  for (const PhysicsPtr& one : operators_) y.push_back(one->forward(x).front());
  return y;
}

TensorList DistributedNonlinearPhysics::do_measure(const Tensor& x) const {
  TensorList y;
  for (const PhysicsPtr& one : operators_) y.push_back(one->measure(x).front());
  return y;
}

Tensor DistributedNonlinearPhysics::do_vjp(const Tensor& x, const TensorList& v) const {
  const std::string who = name() + ".vjp";
  return detail::sum_over_ranks(*communicator_, who, measurement_weight(), [&](Tensor& sum) {
    for (std::size_t i = 0; i < operators_.size(); ++i)
      detail::accumulate(sum, operators_[i]->vjp(x, {v[i]}), who);
  });
}

}  // namespace tessera
