#pragma once

#include <fmt/format.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tessera/comm/agreement.hpp"
#include "tessera/comm/partition.hpp"
#include "tessera/core/error.hpp"
#include "tessera/distributed/distributed_physics.hpp"
#include "tessera/physics/physics.hpp"

/// What linear and non-linear distributed physics share.
namespace tessera::detail {

/// Local. Throws error::InvalidArgument if the pointer is null.
const CommunicatorPtr& checked(const CommunicatorPtr& communicator, const std::string& who);

/// Collective. The given partition, or contiguous shares; throws on every rank unless it fits, and
/// is the same on every rank.
Partition agreed_partition(std::int64_t count, const DistributedPhysicsOptions& options,
                           Communicator& communicator, const std::string& who);

/// Local. Throws error::InvalidArgument unless it is a single operator.
void check_single_operator(const Physics* physics, std::int64_t index, const std::string& who);

/// Collective. The operators of this rank, made by `make(index)`.
template <typename Operator, typename Make>
std::vector<std::shared_ptr<const Operator>> make_held(const Partition& partition,
                                                       Communicator& communicator,
                                                       const std::string& who, const Make& make) {
  return guarded(communicator, who, [&] {
    std::vector<std::shared_ptr<const Operator>> operators;
    for (const std::int64_t index : partition.of(communicator.rank())) {
      operators.push_back(make(index));
      check_single_operator(operators.back().get(), index, who);
    }
    return operators;
  });
}

/// 1 for a sum, 1 / count for a mean.
double weight(OperatorReduction reduction, std::int64_t count);

/// Collective. `contributions` adds this rank's images to the Tensor it is given, undefined at
/// first; the result is their sum over all ranks. A rank that adds none counts as zeros.
Tensor sum_over_ranks(Communicator& communicator, const std::string& who, double weight,
                      const std::function<void(Tensor&)>& contributions);

/// Adds `image` to `sum`, which owns its memory; `sum` may be undefined.
void accumulate(Tensor& sum, const Tensor& image, const std::string& who);

TensorList select_held(const TensorList& all, const Partition& partition, int rank,
                       const std::string& who);
TensorList gather_held(const TensorList& held, const Partition& partition,
                       Communicator& communicator, const std::string& who);
TensorList scatter_held(const TensorList& all, int root, const Partition& partition,
                        Communicator& communicator, const std::string& who);

}  // namespace tessera::detail
