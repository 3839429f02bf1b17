// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "tessera/core/text.hpp"
#include "tessera/distributed/shard.hpp"
#include "tessera/physics/physics.hpp"

namespace tessera {

/// A forward model whose operators are shared out over ranks, each rank holding, applying and
/// measuring with its own ones only: what DistributedPhysics and DistributedNonlinearPhysics have
/// in common. Base is LinearPhysics or Physics.
///
/// The image is replicated, measurements are never: forward() and measure() are local and return
/// what this rank holds. A rank may hold no operator.
template <typename Base>
class ShardedPhysics : public Base {
 public:
  /// Makes operator `index`; called on its owner alone.
  using Factory = typename Shard<Base>::Factory;

  std::int64_t operator_count() const override { return shard_.count(); }
  std::vector<std::int64_t> held() const override { return shard_.held(); }
  Communicator& communicator() const override { return shard_.communicator(); }
  double measurement_weight() const override { return shard_.weight(); }

  const Partition& partition() const { return shard_.partition(); }
  /// The operators this rank holds, in the order of held().
  const std::vector<std::shared_ptr<const Base>>& operators() const { return shard_.operators(); }
  /// Operator `index` of all, which this rank must hold; else throws error::InvalidArgument.
  const Base& at(std::int64_t index) const { return shard_.at(index); }

  /// Local. Of measurements that are known for all operators, those this rank holds.
  TensorList select(const TensorList& all) const {
    return shard_.select(formatted("{}.select", this->name()), all);
  }

  /// Collective. Every operator's measurement, on every rank, in operator order: one small and one
  /// large collective through host memory. Shapes and dtypes may differ from operator to operator.
  TensorList gather(const TensorList& measurements) const {
    return shard_.gather(formatted("{}.gather", this->name()), measurements);
  }

  /// Collective. Hands the measurements of all operators, which only rank `root` need have, to the
  /// ranks that hold the operators; in host memory.
  TensorList scatter(const TensorList& all, int root = 0) const {
    return shard_.scatter(formatted("{}.scatter", this->name()), all, root);
  }

 protected:
  explicit ShardedPhysics(Shard<Base> shard) : shard_(std::move(shard)) {}
  const Shard<Base>& shard() const { return shard_; }

 private:
  TensorList do_forward(const Tensor& x) const override {
    return shard_.each([&](const Base& one) { return one.forward(x).front(); });
  }
  TensorList do_measure(const Tensor& x) const override {
    return shard_.each([&](const Base& one) { return one.measure(x).front(); });
  }

  Shard<Base> shard_;
};

}  // namespace tessera
