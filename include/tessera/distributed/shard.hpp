// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tessera/comm/agreement.hpp"
#include "tessera/comm/communicator.hpp"
#include "tessera/comm/detail/message.hpp"
#include "tessera/comm/partition.hpp"
#include "tessera/core/error.hpp"
#include "tessera/core/tensor.hpp"
#include "tessera/core/text.hpp"
#include "tessera/distributed/detail/shard.hpp"
#include "tessera/distributed/detail/transfer.hpp"
#include "tessera/distributed/distributed_options.hpp"

namespace tessera {

/// Operators shared out over ranks: those this rank holds, and sums over all of them. Op is Physics
/// or a class derived from it; a rank may hold none. `who` starts a function's messages.
template <typename Op>
class Shard {
 public:
  using OpPtr = std::shared_ptr<const Op>;
  /// Makes operator `index`; called on its owner alone.
  using Factory = std::function<OpPtr(std::int64_t index)>;

  /// Collective. `count` operators, each made on its owner. Throws error::RankFailure on every rank
  /// if the factory throws on one, if a rank's arguments do not fit (an undefined operator, a
  /// stack, a partition of other items or ranks) or if they differ from another's. Two agreements.
  Shard(const std::string& who, std::int64_t count, const Factory& factory,
        CommunicatorPtr communicator, const DistributedPhysicsOptions& options = {});

  /// Collective. The same of `operators`, listed in full on every rank; a rank keeps its own.
  Shard(const std::string& who, const std::vector<OpPtr>& operators, CommunicatorPtr communicator,
        const DistributedPhysicsOptions& options = {});

  Communicator& communicator() const { return *communicator_; }
  const Partition& partition() const { return partition_; }
  /// Number of operators over all ranks.
  std::int64_t count() const { return partition_.items(); }
  /// Weight of a sum over the operators: 1, or 1 / count() for a mean.
  double weight() const;

  /// Global indices of the operators this rank holds, ascending.
  const std::vector<std::int64_t>& held() const { return held_; }
  /// The operators this rank holds, in the order of held().
  const std::vector<OpPtr>& operators() const { return operators_; }
  /// Operator `index` of all, which this rank must hold; else throws error::InvalidArgument that
  /// says which rank does.
  const Op& at(std::int64_t index) const;

  /// Collective. The operators of these indices, in this order, each on the rank that holds it
  /// here. Throws on every rank without any, or beyond the last.
  Shard subset(const std::string& who, const std::vector<std::int64_t>& indices) const;

  /// Local. `value(op)`, a tensor, of each operator this rank holds.
  template <typename Value>
  TensorList each(const Value& value) const;

  /// Collective. `weight` times the sum of what all ranks add: `add(sum)` adds this rank's images
  /// to a tensor that is undefined at first, by detail::accumulate(). Complete, and the same bits,
  /// on every rank; a rank that adds none counts as zeros. One agreement, one all-reduce.
  Tensor sum(const std::string& who, double weight, const std::function<void(Tensor&)>& add) const;

  /// Collective. The same of `image(op, i)`, `i` being the place of `op` in operators().
  template <typename Image>
  Tensor sum_each(const std::string& who, double weight, const Image& image) const;

  /// Local. Of one tensor per operator, those of the operators this rank holds.
  TensorList select(const std::string& who, const TensorList& all) const;

  /// Collective. What the ranks hold, one tensor per held operator, on every rank in operator
  /// order: one small and one large collective through host memory. Shapes and dtypes may differ.
  TensorList gather(const std::string& who, const TensorList& mine) const;

  /// Collective. One tensor per operator, which only rank `root` need have, to the ranks that hold
  /// the operators; in host memory.
  TensorList scatter(const std::string& who, const TensorList& all, int root) const;

 private:
  CommunicatorPtr communicator_;
  Partition partition_;
  OperatorReduction reduction_;
  std::vector<std::int64_t> held_;
  std::vector<OpPtr> operators_;
};

template <typename Op>
Shard<Op>::Shard(const std::string& who, std::int64_t count, const Factory& factory,
                 CommunicatorPtr communicator, const DistributedPhysicsOptions& options)
    : communicator_(detail::checked(std::move(communicator), who)),
      partition_(detail::agreed_partition(count, options, *communicator_, who)),
      reduction_(options.reduction),
      held_(partition_.of(communicator_->rank())),
      operators_(detail::made_each<Op>(held_, factory, *communicator_, who)) {}

template <typename Op>
Shard<Op>::Shard(const std::string& who, const std::vector<OpPtr>& operators,
                 CommunicatorPtr communicator, const DistributedPhysicsOptions& options)
    : communicator_(detail::checked(std::move(communicator), who)),
      partition_(detail::agreed_partition(static_cast<std::int64_t>(operators.size()), options,
                                          *communicator_, who)),
      reduction_(options.reduction),
      held_(partition_.of(communicator_->rank())),
      operators_(detail::made_each<Op>(
          held_, [&](std::int64_t index) { return operators[static_cast<std::size_t>(index)]; },
          *communicator_, who)) {}

template <typename Op>
double Shard<Op>::weight() const {
  return reduction_ == OperatorReduction::mean ? 1.0 / static_cast<double>(count()) : 1.0;
}

template <typename Op>
const Op& Shard<Op>::at(std::int64_t index) const {
  if (index < 0 || index >= count()) {
    throw error::InvalidArgument(
        formatted("Shard.at: operator is {}, expected one in [0, {})", index, count()));
  }
  for (std::size_t i = 0; i < held_.size(); ++i) {
    if (held_[i] == index) return *operators_[i];
  }
  throw error::InvalidArgument(formatted("Shard.at: operator {} is on rank {}, not on this one{}",
                                         index, partition_.owner(index),
                                         rank_suffix(*communicator_)));
}

template <typename Op>
Shard<Op> Shard<Op>::subset(const std::string& who,
                            const std::vector<std::int64_t>& indices) const {
  std::vector<int> owners;
  std::vector<OpPtr> operators(indices.size());
  fail_together(*communicator_, who, [&] {
    for (std::size_t i = 0; i < indices.size(); ++i) {
      owners.push_back(partition_.owner(indices[i]));
      const auto mine = std::find(held_.begin(), held_.end(), indices[i]);
      if (mine != held_.end()) operators[i] = operators_[std::size_t(mine - held_.begin())];
    }
  });
  return Shard(who, operators, communicator_,
               {Partition::explicit_owners(owners, communicator_->size()), reduction_});
}

template <typename Op>
template <typename Value>
TensorList Shard<Op>::each(const Value& value) const {
  TensorList values;
  for (const OpPtr& one : operators_) values.push_back(value(*one));
  return values;
}

template <typename Op>
Tensor Shard<Op>::sum(const std::string& who, double weight,
                      const std::function<void(Tensor&)>& add) const {
  return detail::sum_over_ranks(*communicator_, who, weight, add);
}

template <typename Op>
template <typename Image>
Tensor Shard<Op>::sum_each(const std::string& who, double weight, const Image& image) const {
  return sum(who, weight, [&](Tensor& mine) {
    for (std::size_t i = 0; i < operators_.size(); ++i)
      detail::accumulate(mine, image(*operators_[i], i), who);
  });
}

template <typename Op>
TensorList Shard<Op>::select(const std::string& who, const TensorList& all) const {
  return detail::select_held(all, held_, count(), who);
}

template <typename Op>
TensorList Shard<Op>::gather(const std::string& who, const TensorList& mine) const {
  return detail::gather_held(mine, partition_, *communicator_, who);
}

template <typename Op>
TensorList Shard<Op>::scatter(const std::string& who, const TensorList& all, int root) const {
  return detail::scatter_held(all, root, partition_, *communicator_, who);
}

}  // namespace tessera
