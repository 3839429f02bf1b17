#include "tessera/comm/partition.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "tessera/core/error.hpp"

namespace tessera {
namespace {

void check_sizes(std::int64_t items, int ranks) {
  if (items < 0) {
    throw error::InvalidArgument(fmt::format("Partition: items is {}, expected at least 0", items));
  }
  if (ranks < 1) {
    throw error::InvalidArgument(fmt::format("Partition: ranks is {}, expected at least 1", ranks));
  }
}

}  // namespace

Partition::Partition(std::vector<int> owner, int ranks) : owner_(std::move(owner)), ranks_(ranks) {}

Partition Partition::block(std::int64_t items, int ranks) {
  check_sizes(items, ranks);
  std::vector<int> owner;
  owner.reserve(static_cast<std::size_t>(items));
  for (int rank = 0; rank < ranks; ++rank) {
    const std::int64_t share = items / ranks + (rank < items % ranks ? 1 : 0);
    owner.insert(owner.end(), static_cast<std::size_t>(share), rank);
  }
  return Partition(std::move(owner), ranks);
}

Partition Partition::round_robin(std::int64_t items, int ranks) {
  check_sizes(items, ranks);
  std::vector<int> owner(static_cast<std::size_t>(items));
  for (std::size_t i = 0; i < owner.size(); ++i)
    owner[i] = static_cast<int>(i % static_cast<std::size_t>(ranks));
  return Partition(std::move(owner), ranks);
}

Partition Partition::by_cost(std::span<const double> costs, int ranks) {
  check_sizes(static_cast<std::int64_t>(costs.size()), ranks);
  for (std::size_t i = 0; i < costs.size(); ++i) {
    if (!(costs[i] > 0) || !std::isfinite(costs[i])) {
      throw error::InvalidArgument(fmt::format(
          "Partition::by_cost: cost of item {} is {}, expected a positive number", i, costs[i]));
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

Partition Partition::explicit_owners(std::vector<int> owners, int ranks) {
  check_sizes(static_cast<std::int64_t>(owners.size()), ranks);
  for (std::size_t i = 0; i < owners.size(); ++i) {
    if (owners[i] < 0 || owners[i] >= ranks) {
      throw error::InvalidArgument(fmt::format(
          "Partition::explicit_owners: owner of item {} is {}, expected a rank in [0, {})", i,
          owners[i], ranks));
    }
  }
  return Partition(std::move(owners), ranks);
}

int Partition::owner(std::int64_t item) const {
  if (item < 0 || item >= items()) {
    throw error::InvalidArgument(
        fmt::format("Partition::owner: item is {}, expected one in [0, {})", item, items()));
  }
  return owner_[static_cast<std::size_t>(item)];
}

std::vector<std::int64_t> Partition::of(int rank) const {
  if (rank < 0 || rank >= ranks_) {
    throw error::InvalidArgument(
        fmt::format("Partition::of: rank is {}, expected one in [0, {})", rank, ranks_));
  }
  std::vector<std::int64_t> items;
  for (std::size_t i = 0; i < owner_.size(); ++i) {
    if (owner_[i] == rank) items.push_back(static_cast<std::int64_t>(i));
  }
  return items;
}

}  // namespace tessera
