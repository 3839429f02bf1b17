// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <vector>

namespace tessera {

/// `count` indices of one dimension, from `first` on.
struct IndexRange {
  std::int64_t first = 0;
  std::int64_t count = 0;
};

/// The box of an array that is to be read, a range for each dimension; empty: the whole array.
/// Readers load no more than it, and throw error::InvalidArgument if it leaves the array.
using Window = std::vector<IndexRange>;

}  // namespace tessera
