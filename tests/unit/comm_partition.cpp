// SPDX-License-Identifier: BSD-3-Clause
#include "tessera/comm/partition.hpp"

#include "catch.hpp"
#include "tessera/core/error.hpp"

using tessera::Partition;
using tessera::error::InvalidArgument;
using Items = std::vector<std::int64_t>;

namespace {

/// Every item has one owner, owner() and of() say the same, and of() ascends.
void check_consistent(const Partition& partition) {
  std::int64_t held = 0;
  for (int rank = 0; rank < partition.ranks(); ++rank) {
    const Items items = partition.of(rank);
    held += static_cast<std::int64_t>(items.size());
    CHECK(std::is_sorted(items.begin(), items.end()));
    for (const std::int64_t item : items) CHECK(partition.owner(item) == rank);
  }
  CHECK(held == partition.items());
}

}  // namespace

TEST_CASE("partition: contiguous shares that differ by at most one") {
  const Partition partition = Partition::block(8, 3);
  CHECK(partition.of(0) == Items{0, 1, 2});
  CHECK(partition.of(1) == Items{3, 4, 5});
  CHECK(partition.of(2) == Items{6, 7});
  for (int ranks = 1; ranks < 12; ++ranks) check_consistent(Partition::block(8, ranks));
  CHECK(Partition::block(2, 4).of(3).empty());
}

TEST_CASE("partition: one after the other") {
  const Partition partition = Partition::round_robin(5, 2);
  CHECK(partition.of(0) == Items{0, 2, 4});
  CHECK(partition.of(1) == Items{1, 3});
  check_consistent(Partition::round_robin(3, 5));
}

TEST_CASE("partition: by cost, the longest first to the least loaded rank") {
  const std::vector<double> costs{1, 5, 4, 3, 3};
  const Partition partition = Partition::by_cost(costs, 2);
  CHECK(partition.of(0) == Items{1, 4});     // 5, then 3: 8
  CHECK(partition.of(1) == Items{0, 2, 3});  // 4, then 3, then 1: 8
  check_consistent(partition);
  const std::vector<double> equal(8, 2.0);
  for (int rank = 0; rank < 4; ++rank) CHECK(Partition::by_cost(equal, 4).of(rank).size() == 2);
}

TEST_CASE("partition: given owners") {
  const Partition partition = Partition::explicit_owners({2, 0, 2}, 3);
  CHECK(partition.of(2) == Items{0, 2});
  CHECK(partition.of(1).empty());
  check_consistent(partition);
}

TEST_CASE("partition: no items") {
  CHECK(Partition::block(0, 3).items() == 0);
  CHECK(Partition::block(0, 3).of(2).empty());
}

TEST_CASE("partition: what cannot be is refused") {
  CHECK_THROWS_AS(Partition::block(-1, 2), InvalidArgument);
  CHECK_THROWS_AS(Partition::round_robin(3, 0), InvalidArgument);
  CHECK_THROWS_WITH(Partition::by_cost(std::vector<double>{1, 0}, 2),
                    "Partition.by_cost: cost of item 1 is 0, expected a positive number");
  CHECK_THROWS_WITH(Partition::explicit_owners({0, 3}, 3),
                    "Partition.explicit_owners: owner of item 1 is 3, expected a rank in [0, 3)");
  const Partition partition = Partition::block(4, 2);
  CHECK_THROWS_AS(partition.owner(4), InvalidArgument);
  CHECK_THROWS_AS(partition.owner(-1), InvalidArgument);
  CHECK_THROWS_AS(partition.of(2), InvalidArgument);
}
