// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tessera/comm/agreement.hpp"
#include "tessera/comm/partition.hpp"
#include "tessera/comm/same_on_all_ranks.hpp"
#include "tessera/comm/tensor_view.hpp"
#include "tessera/core/error.hpp"
#include "tessera/core/text.hpp"
#include "tessera/distributed/detail/image_packet.hpp"
#include "tessera/distributed/distributed_options.hpp"
#include "tessera/physics/physics.hpp"

/// What Shard does for operators of every kind.
namespace tessera::detail {

/// Local. Throws error::InvalidArgument if the pointer is null.
CommunicatorPtr checked(CommunicatorPtr communicator, const std::string& who);

/// Collective. The given partition, or contiguous shares; throws on every rank unless it fits, and
/// is the same on every rank.
Partition agreed_partition(std::int64_t count, const DistributedPhysicsOptions& options,
                           Communicator& communicator, const std::string& who);

/// Local. Throws error::InvalidArgument unless it is a single operator.
void check_single_operator(const Physics* physics, std::int64_t index, const std::string& who);

/// Collective. One operator for each index, made by `make(index)`.
template <typename Op, typename Make>
std::vector<std::shared_ptr<const Op>> made_each(const std::vector<std::int64_t>& indices,
                                                 const Make& make, Communicator& communicator,
                                                 const std::string& who) {
  return guarded(communicator, who, [&] {
    std::vector<std::shared_ptr<const Op>> operators;
    for (const std::int64_t index : indices) {
      operators.push_back(make(index));
      check_single_operator(operators.back().get(), index, who);
    }
    return operators;
  });
}

/// Collective. `contributions` adds this rank's images to the Tensor it is given, undefined at
/// first; the result is their sum over all ranks. A rank that adds none counts as zeros.
Tensor sum_over_ranks(Communicator& communicator, const std::string& who, double weight,
                      const std::function<void(Tensor&)>& contributions);

/// Adds `image` to `sum`, which owns its memory; `sum` may be undefined.
void accumulate(Tensor& sum, const Tensor& image, const std::string& who);

inline CommunicatorPtr checked(CommunicatorPtr communicator, const std::string& who) {
  if (!communicator) {
    throw error::InvalidArgument(
        who + ": the communicator is null; give self_communicator() to run alone");
  }
  return communicator;
}

inline std::string list_of_owners(const Partition& partition) {
  std::vector<int> owners;
  for (std::int64_t item = 0; item < partition.items(); ++item)
    owners.push_back(partition.owner(item));
  return formatted("[{}]", joined(owners, ", "));
}

inline Partition agreed_partition(std::int64_t count, const DistributedPhysicsOptions& options,
                                  Communicator& communicator, const std::string& who) {
  const int ranks = communicator.size();
  const Partition partition = fail_together(communicator, who, [&] {
    if (count < 1) {
      throw error::InvalidArgument(
          formatted("{}: there are {} operators, expected at least 1", who, count));
    }
    Partition given = options.partition ? *options.partition : Partition::block(count, ranks);
    if (given.items() != count || given.ranks() != ranks) {
      throw error::InvalidArgument(
          formatted("{}: the partition shares {} operators over {} ranks, expected {} operators "
                    "over {} ranks",
                    who, given.items(), given.ranks(), count, ranks));
    }
    return given;
  });
  same_on_all_ranks(communicator, who, "the number of operators", count, "the list of owners",
                    list_of_owners(partition), "the reduction",
                    options.reduction == OperatorReduction::mean ? "mean" : "sum");
  return partition;
}

inline void check_single_operator(const Physics* physics, std::int64_t index,
                                  const std::string& who) {
  if (physics == nullptr)
    throw error::InvalidArgument(formatted("{}: operator {} is null", who, index));
  if (physics->operator_count() != 1) {
    throw error::InvalidArgument(
        formatted("{}: operator {} ({}) is a stack of {} operators; give its operators one by one",
                  who, index, physics->name(), physics->operator_count()));
  }
}

inline void accumulate(Tensor& sum, const Tensor& image, const std::string& who) {
  if (!sum.defined()) {
    check_image(image, who + ": an operator's image");
    sum = image.clone(at::MemoryFormat::Contiguous);
    return;
  }
  check_like(image, sum, who + ": an operator's image");
  sum.add_(image);
}

inline Tensor sum_over_ranks(Communicator& communicator, const std::string& who, double weight,
                             const std::function<void(Tensor&)>& contributions) {
  Tensor sum;
  ImagePacket packet;
  guarded(
      communicator, who,
      [&] {
        contributions(sum);
        if (!sum.defined()) return;
        if (weight != 1.0) sum.mul_(weight);
        if (communicator.size() > 1 && sum.requires_grad()) {
          throw error::InvalidArgument(who +
                                       ": cannot be differentiated over several ranks; detach its "
                                       "arguments or use one rank");
        }
        packet = ImagePacket(sum);
      },
      packet.maxima());
  packet.check(who);
  committed(communicator, who, [&] {
    if (!sum.defined()) sum = packet.zeros();
    if (communicator.size() > 1) all_reduce(communicator, sum, Reduction::sum);
  });
  return sum;
}

}  // namespace tessera::detail
