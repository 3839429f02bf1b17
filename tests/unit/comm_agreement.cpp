// SPDX-License-Identifier: BSD-3-Clause
#include "tessera/comm/agreement.hpp"

#include <memory>
#include <stdexcept>

#include "catch.hpp"
#include "tessera/comm/run_guarded.hpp"
#include "tessera/comm/self.hpp"
#include "tessera/core/error.hpp"

using namespace tessera;

TEST_CASE("guarded: on one rank the result and the failure are the step's own") {
  const CommunicatorPtr ranks = self_communicator();
  CHECK(*guarded(*ranks, "step", [] { return std::make_unique<int>(7); }) == 7);
  bool ran = false;
  guarded(*ranks, "step", [&] { ran = true; });
  CHECK(ran);
  CHECK_THROWS_AS(guarded(*ranks, "step", [] { throw std::out_of_range("beyond"); }),
                  std::out_of_range);
}

TEST_CASE("agree: maxima of one rank are its own, and there is room for so many") {
  const CommunicatorPtr ranks = self_communicator();
  std::vector<std::int64_t> numbers{3, -4};
  agree(*ranks, "step", nullptr, numbers);
  CHECK(numbers == std::vector<std::int64_t>{3, -4});
  std::vector<std::int64_t> too_many(agreement_capacity + 1, 0);
  CHECK_THROWS_AS(agree(*ranks, "step", nullptr, too_many), error::InvalidArgument);
}

TEST_CASE("committed: on one rank the result and the failure are the step's own") {
  const CommunicatorPtr ranks = self_communicator();
  CHECK(committed(*ranks, "step", [] { return 7; }) == 7);
  CHECK_THROWS_AS(committed(*ranks, "step", [] { throw std::out_of_range("far"); }),
                  std::out_of_range);
}

TEST_CASE("run_guarded: exit codes of a program on one rank") {
  const CommunicatorPtr ranks = self_communicator();
  CHECK(run_guarded(*ranks, "program", [] { return 0; }) == 0);
  CHECK(run_guarded(*ranks, "program", [] { return 3; }) == 3);
  CHECK(run_guarded(*ranks, "program",
                    []() -> int { throw std::runtime_error("expected in this test"); }) == 1);
  CHECK(run_guarded(*ranks, "program", []() -> int { throw 42; }) == 1);
}
