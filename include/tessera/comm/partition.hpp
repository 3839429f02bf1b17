#pragma once

#include <cstdint>
#include <span>
#include <vector>

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

}  // namespace tessera
