// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>
#include <vector>

#include "tessera/comm/agreement.hpp"
#include "tessera/comm/same_on_all_ranks.hpp"
#include "tessera/core/text.hpp"
#include "tessera/distributed/detail/shard.hpp"
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

namespace detail {

inline double seconds_of(const LinearPhysics& one, const Tensor& x, int rounds) {
  double fastest = std::numeric_limits<double>::infinity();
  for (int round = 0; round <= rounds; ++round) {
    const auto start = std::chrono::steady_clock::now();
    synchronize(one.adjoint(one.forward(x)));
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
    if (round > 0) fastest = std::min(fastest, elapsed.count());
  }
  constexpr double least = 1e-9;  // a cost must be positive, also by a coarse clock
  return std::max(fastest, least);
}

}  // namespace detail

inline std::vector<double> measured_costs(std::int64_t count,
                                          const DistributedPhysics::Factory& factory,
                                          const Tensor& x, Communicator& communicator, int rounds) {
  const std::string who = "measured_costs";
  std::vector<double> costs = fail_together(communicator, who, [&] {
    if (count < 0 || rounds < 1) {
      throw error::InvalidArgument(
          formatted("{}: expected count >= 0 and rounds >= 1, got {} and {}", who, count, rounds));
    }
    std::vector<double> seconds(static_cast<std::size_t>(count), 0.0);
    for (std::int64_t index = communicator.rank(); index < count; index += communicator.size()) {
      const LinearPhysicsPtr one = factory(index);
      detail::check_single_operator(one.get(), index, who);
      seconds[static_cast<std::size_t>(index)] = detail::seconds_of(*one, x, rounds);
    }
    return seconds;
  });
  same_on_all_ranks(communicator, who, "the number of operators", count);
  communicator.control().all_reduce(costs.data(), count, DataType::f64, Reduction::sum);
  return costs;
}

}  // namespace tessera
