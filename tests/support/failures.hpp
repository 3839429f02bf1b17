// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <chrono>
#include <functional>
#include <stdexcept>
#include <string>

#include "catch.hpp"
#include "tessera/core/error.hpp"
#include "world.hpp"

/// What becomes of all ranks when one of them fails.
namespace test {

/// The failure that `action` ends with on this rank; it must come within five seconds of the moment
/// at which all ranks have begun.
inline tessera::error::RankFailure failure_of(const std::function<void()>& action) {
  world()->barrier();
  const auto start = std::chrono::steady_clock::now();
  try {
    action();
  } catch (const tessera::error::RankFailure& failure) {
    CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(5));
    return failure;
  }
  FAIL("no rank failure");
  throw std::logic_error("unreachable");
}

/// No rank is left in a collective of its own: the next one is every rank's, and right.
inline void check_in_step() {
  std::int64_t ones = 1;
  world()->all_reduce(&ones, 1, tessera::DataType::i64, tessera::Reduction::sum);
  CHECK(ones == world()->size());
}

}  // namespace test
