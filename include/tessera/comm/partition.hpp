// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <span>
#include <vector>

#include "tessera/core/error.hpp"
#include "tessera/core/text.hpp"

namespace tessera {

/// Which rank holds which items: owner[i] is the rank of item i. The same on every rank.
class Partition {
 public:
  /// Contiguous shares whose sizes differ by at most one.
  static Partition block(std::int64_t items, int ranks);
  /// Item i to rank i modulo ranks.
  static Partition round_robin(std::int64_t items, int ranks);
  /// Longest-processing-time rule: items by falling cost, each to the least loaded rank. costs > 0.
  static Partition by_cost(std::span<const double> costs, int ranks);
  /// Given owners, each in [0, ranks).
  static Partition explicit_owners(std::vector<int> owners, int ranks);

  int ranks() const { return ranks_; }
  std::int64_t items() const { return static_cast<std::int64_t>(owner_.size()); }
  int owner(std::int64_t item) const;
  /// Items of a rank, ascending.
  std::vector<std::int64_t> of(int rank) const;

 private:
  Partition(std::vector<int> owner, int ranks);
  std::vector<int> owner_;
  int ranks_ = 1;
};

namespace detail {

inline void check_sizes(std::int64_t items, int ranks) {
  if (items < 0) {
    throw error::InvalidArgument(formatted("Partition: items is {}, expected at least 0", items));
  }
  if (ranks < 1) {
    throw error::InvalidArgument(formatted("Partition: ranks is {}, expected at least 1", ranks));
  }
}

}  // namespace detail

inline Partition::Partition(std::vector<int> owner, int ranks)
    : owner_(std::move(owner)), ranks_(ranks) {}

inline Partition Partition::block(std::int64_t items, int ranks) {
  detail::check_sizes(items, ranks);
  std::vector<int> owner;
  owner.reserve(static_cast<std::size_t>(items));
  for (int rank = 0; rank < ranks; ++rank) {
    const std::int64_t share = items / ranks + (rank < items % ranks ? 1 : 0);
    owner.insert(owner.end(), static_cast<std::size_t>(share), rank);
  }
  return Partition(std::move(owner), ranks);
}

inline Partition Partition::round_robin(std::int64_t items, int ranks) {
  detail::check_sizes(items, ranks);
  std::vector<int> owner(static_cast<std::size_t>(items));
  for (std::size_t i = 0; i < owner.size(); ++i)
    owner[i] = static_cast<int>(i % static_cast<std::size_t>(ranks));
  return Partition(std::move(owner), ranks);
}

inline Partition Partition::by_cost(std::span<const double> costs, int ranks) {
  detail::check_sizes(static_cast<std::int64_t>(costs.size()), ranks);
  for (std::size_t i = 0; i < costs.size(); ++i) {
    if (!(costs[i] > 0) || !std::isfinite(costs[i])) {
      throw error::InvalidArgument(formatted(
          "Partition.by_cost: cost of item {} is {}, expected a positive number", i, costs[i]));
    }
  }
  std::vector<std::size_t> order(costs.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return costs[a] > costs[b]; });
  std::vector<int> owner(costs.size());
  std::vector<double> load(static_cast<std::size_t>(ranks), 0.0);
  for (const std::size_t item : order) {
    const auto least = std::min_element(load.begin(), load.end());
    owner[item] = static_cast<int>(least - load.begin());
    *least += costs[item];
  }
  return Partition(std::move(owner), ranks);
}

inline Partition Partition::explicit_owners(std::vector<int> owners, int ranks) {
  detail::check_sizes(static_cast<std::int64_t>(owners.size()), ranks);
  for (std::size_t i = 0; i < owners.size(); ++i) {
    if (owners[i] < 0 || owners[i] >= ranks) {
      throw error::InvalidArgument(
          formatted("Partition.explicit_owners: owner of item {} is {}, expected a rank in [0, {})",
                    i, owners[i], ranks));
    }
  }
  return Partition(std::move(owners), ranks);
}

inline int Partition::owner(std::int64_t item) const {
  if (item < 0 || item >= items()) {
    throw error::InvalidArgument(
        formatted("Partition.owner: item is {}, expected one in [0, {})", item, items()));
  }
  return owner_[static_cast<std::size_t>(item)];
}

inline std::vector<std::int64_t> Partition::of(int rank) const {
  if (rank < 0 || rank >= ranks_) {
    throw error::InvalidArgument(
        formatted("Partition.of: rank is {}, expected one in [0, {})", rank, ranks_));
  }
  std::vector<std::int64_t> items;
  for (std::size_t i = 0; i < owner_.size(); ++i) {
    if (owner_[i] == rank) items.push_back(static_cast<std::int64_t>(i));
  }
  return items;
}

}  // namespace tessera
