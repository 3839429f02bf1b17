#pragma once

#include <cstdint>
#include <vector>

#include "tessera/distributed/distributed_physics.hpp"

namespace tessera {

/// Collective. Seconds that each of `count` operators takes to go forward and back on an image like
/// x, for Partition::by_cost. Operator i is made and timed on rank i modulo the number of ranks;
/// every rank returns the same numbers, all positive. The fastest of `rounds` calls, after one to
/// warm up.
///
///   const auto costs = measured_costs(count, factory, x, *ranks);
///   DistributedPhysics physics(count, factory, ranks,
///                              {.partition = Partition::by_cost(costs, ranks->size())});
std::vector<double> measured_costs(std::int64_t count, const DistributedPhysics::Factory& factory,
                                   const Tensor& x, Communicator& communicator, int rounds = 2);

}  // namespace tessera
