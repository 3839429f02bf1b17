// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tessera/core/text.hpp"
#include "tessera/distributed/sharded_physics.hpp"
#include "tessera/physics/physics.hpp"

namespace tessera {

/// Operators of any kind shared out over ranks, as DistributedPhysics does for linear ones:
/// forward() and measure() are local, vjp() is complete on every rank after one all-reduce.
class DistributedNonlinearPhysics : public ShardedPhysics<Physics> {
 public:
  /// Collective. See Shard.
  DistributedNonlinearPhysics(const std::vector<PhysicsPtr>& operators,
                              CommunicatorPtr communicator,
                              const DistributedPhysicsOptions& options = {})
      : ShardedPhysics(Shard<Physics>("DistributedNonlinearPhysics", operators,
                                      std::move(communicator), options)) {}

  /// Collective. See Shard.
  DistributedNonlinearPhysics(std::int64_t count, const Factory& factory,
                              CommunicatorPtr communicator,
                              const DistributedPhysicsOptions& options = {})
      : ShardedPhysics(Shard<Physics>("DistributedNonlinearPhysics", count, factory,
                                      std::move(communicator), options)) {}

  std::string name() const override { return "distributed_nonlinear_physics"; }

 private:
  inline Tensor do_vjp(const Tensor& x, const TensorList& v) const override;
};

inline Tensor DistributedNonlinearPhysics::do_vjp(const Tensor& x, const TensorList& v) const {
  return shard().sum_each(formatted("{}.vjp", name()), measurement_weight(),
                          [&](const Physics& one, std::size_t i) { return one.vjp(x, {v[i]}); });
}

}  // namespace tessera
