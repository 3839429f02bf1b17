// SPDX-License-Identifier: BSD-3-Clause
#include "tessera/comm/agreement.hpp"

#include <c10/util/Exception.h>

#include <array>
#include <stdexcept>
#include <string>

#include "catch.hpp"
#include "tessera/comm/counting.hpp"
#include "tessera/comm/same_on_all_ranks.hpp"
#include "tessera/core/error.hpp"
#include "world.hpp"

using namespace tessera;

namespace {

std::string who(int rank) {
  return " (rank " + std::to_string(rank) + " of " + std::to_string(test::world()->size()) + ")";
}

/// What a step threw: the agreed failure and what is nested in it.
struct Caught {
  int rank = -1;
  std::string message;
  std::string nested;
};

template <typename Step>
Caught caught(Step&& step) {
  Caught result;
  try {
    step();
  } catch (const error::RankFailure& failure) {
    result.rank = failure.rank();
    result.message = failure.what();
    try {
      std::rethrow_if_nested(failure);
    } catch (const std::exception& nested) {
      result.nested = nested.what();
    } catch (...) {
      result.nested = "of unknown type";
    }
  }
  return result;
}

struct Unusual {};

}  // namespace

TEST_CASE(
    "guarded: one rank's failure is thrown by all, and costs one reduction and one broadcast") {
  CountingCommunicator world(test::world());
  for (const int culprit : {0, world.size() - 1}) {
    world.reset();
    const Caught seen = caught([&] {
      guarded(world, "io.read", [&] {
        if (world.rank() == culprit) throw std::runtime_error("disk full");
      });
    });
    CHECK(seen.rank == culprit);
    CHECK(seen.message == "io.read: disk full" + who(culprit));
    CHECK(seen.nested == (world.rank() == culprit ? "disk full" : ""));
    CHECK(world.flags(Collective::all_reduce).calls == 1);
    CHECK(world.flags(Collective::broadcast).calls == 1);
    CHECK(world.flags().calls == 2);
    CHECK(world.data().calls == 0);
  }
}

TEST_CASE(
    "guarded: without a failure it returns the step's result, for one reduction of the maxima "
    "too") {
  CountingCommunicator world(test::world());
  CHECK(guarded(world, "step", [&] { return 10 * world.rank(); }) == 10 * world.rank());
  std::vector<std::int64_t> numbers{world.rank(), -world.rank(), std::int64_t{1} << 62};
  agree(world, "step", nullptr, numbers);
  CHECK(numbers == std::vector<std::int64_t>{world.size() - 1, 0, std::int64_t{1} << 62});
  CHECK(world.flags().calls == 2);
}

TEST_CASE("guarded: what the step fills in is reduced in the same agreement") {
  CountingCommunicator world(test::world());
  const std::int64_t last = world.size() - 1;
  std::array<std::int64_t, 2> maxima{};
  const int returned = guarded(
      world, "step",
      [&] {
        maxima = {world.rank(), -world.rank()};
        return 7 + world.rank();
      },
      maxima);
  CHECK(returned == 7 + world.rank());
  CHECK(maxima == std::array<std::int64_t, 2>{last, 0});
  CHECK(world.flags().calls == 1);

  // A rank that fails before or after it has filled them in.
  const Caught seen = caught([&] {
    guarded(
        world, "step",
        [&] {
          maxima = {world.rank(), -world.rank()};
          if (world.rank() == last) throw std::runtime_error("no image");
        },
        maxima);
  });
  CHECK(seen.rank == last);
  CHECK(seen.message == "step: no image" + who(static_cast<int>(last)));
  CHECK(maxima == std::array<std::int64_t, 2>{world.rank(), -world.rank()});
}

TEST_CASE("fail_together: costs nothing, and a failure meets the others at what comes next") {
  CountingCommunicator world(test::world());
  const auto half = [&](int number) {
    return fail_together(world, "half", [&] {
      if (number % 2 != 0) throw std::runtime_error(std::to_string(number) + " is odd");
      return number / 2;
    });
  };
  CHECK(half(6) == 3);
  CHECK(world.flags().calls == 0);
  const Caught seen = caught(
      [&] { same_on_all_ranks(world, "next", "the half", half(world.rank() == 1 ? 7 : 6)); });
  CHECK(seen.rank == 1);
  CHECK(seen.message == "half: 7 is odd" + who(1));
  CHECK(seen.nested == (world.rank() == 1 ? "7 is odd" : ""));
  CHECK(world.flags().calls == 2);
}

TEST_CASE("agree: of several failures, the lowest rank's is told, and each keeps its own") {
  Communicator& world = *test::world();
  const int lowest = world.size() / 2;
  const Caught seen = caught([&] {
    guarded(world, "step", [&] {
      if (world.rank() >= lowest)
        throw std::runtime_error("failure " + std::to_string(world.rank()));
    });
  });
  CHECK(seen.rank == lowest);
  CHECK(seen.message == "step: failure " + std::to_string(lowest) + who(lowest));
  CHECK(seen.nested == (world.rank() >= lowest ? "failure " + std::to_string(world.rank()) : ""));
}

TEST_CASE("agree: a rank that failed elsewhere meets the others at their next guarded step") {
  Communicator& world = *test::world();
  const int culprit = 1;
  const Caught seen = caught([&] {
    guarded(world, "program", [&] {
      if (world.rank() == culprit) throw std::runtime_error("before any step");
      guarded(world, "step 1", [] {});
      FAIL("ranks went on without a failed one");
    });
  });
  CHECK(seen.rank == culprit);
  CHECK(seen.message == "program: before any step" + who(culprit));
}

TEST_CASE(
    "agree: a failure that was agreed upon passes through outer steps without communication") {
  CountingCommunicator world(test::world());
  const Caught seen = caught([&] {
    guarded(world, "outer", [&] {
      guarded(world, "inner", [&] {
        if (world.is_root()) throw std::runtime_error("no");
      });
    });
  });
  CHECK(seen.message == "inner: no" + who(0));
  CHECK(world.flags().calls == 2);
}

TEST_CASE("agree: what a group agreed upon is still news to the others") {
  Communicator& world = *test::world();
  const CommunicatorPtr part = world.split(world.rank() % 2, 0);
  const Caught seen = caught([&] {
    guarded(world, "outer", [&] {
      guarded(*part, "inner", [&] {
        if (world.rank() == 1) throw std::runtime_error("odd");
      });
    });
  });
  CHECK(seen.rank == 1);
  // A group of one has nobody to agree with: its failure comes as it is.
  const int members = world.size() / 2;
  const std::string start =
      members == 1 ? "outer: odd" : "outer: inner: odd (rank 0 of " + std::to_string(members) + ")";
  CHECK_THAT(seen.message, Catch::Matchers::StartsWith(start) && Catch::Matchers::EndsWith(who(1)));
}

TEST_CASE("agree: ranks that meet at different places are told so") {
  Communicator& world = *test::world();
  const std::string where = world.is_root() ? "gradient" : "prox";
  CHECK_THROWS_WITH(agree(world, where, nullptr),
                    "agree: the ranks are out of step: rank 0 in 'gradient', rank 1 in 'prox'" +
                        who(world.rank()));
  std::vector<std::int64_t> numbers(world.is_root() ? 2 : 1, 0);
  CHECK_THROWS_AS(agree(world, "step", nullptr, numbers), error::Communication);
}

TEST_CASE("any_rank: true on all ranks if any of them says so") {
  const auto world = test::world();
  CHECK_FALSE(any_rank(*world, "test", false));
  CHECK(any_rank(*world, "test", true));
  for (int rank = 0; rank < world->size(); ++rank) {
    CHECK(any_rank(*world, "test", rank == world->rank()));
  }
}

TEST_CASE("agree: a broken transport is not agreed upon") {
  Communicator& world = *test::world();
  CHECK_THROWS_WITH(guarded(world, "step", [] { throw error::Communication("cable cut"); }),
                    "cable cut");
}

TEST_CASE("committed: what fails after an agreement, on one rank alone, is left to the transport") {
  CountingCommunicator world(test::world());
  CHECK(committed(world, "step", [] { return 7; }) == 7);
  const auto fail = [&] {
    committed(world, "step", [] { throw std::runtime_error("no memory"); });
  };
  CHECK_THROWS_AS(fail(), error::Communication);
  CHECK_THROWS_WITH(guarded(world, "outer", fail), "step: no memory" + who(world.rank()));
  const error::RankFailure agreed(0, world.size(), "agreed upon");
  CHECK_THROWS_AS(committed(world, "step", [&] { throw agreed; }), error::RankFailure);
  CHECK(world.flags().calls == 0);
}

TEST_CASE("agree: the message names the place and the rank once, whatever was thrown") {
  Communicator& world = *test::world();
  const auto told = [&](auto&& exception) {
    return caught([&] {
             guarded(world, "blur.forward", [&] {
               if (world.is_root()) throw exception;
             });
           })
        .message;
  };
  CHECK(told(std::runtime_error("blur.forward: x is small" + who(0))) ==
        "blur.forward: x is small" + who(0));
  CHECK(told(Unusual{}) == "blur.forward: an exception of unknown type" + who(0));
  const Caught torch = caught([&] {
    guarded(world, "blur.forward", [&] { TORCH_CHECK(!world.is_root(), "sizes do not match"); });
  });
  CHECK(torch.message == "blur.forward: sizes do not match" + who(0));

  const std::string message = told(std::runtime_error("start" + std::string(10000, 'x') + "end"));
  CHECK(message.size() <= 4096);
  CHECK_THAT(message, Catch::Matchers::StartsWith("blur.forward: start") &&
                          test::contains(" [...] ") && Catch::Matchers::EndsWith("end" + who(0)));
}

TEST_CASE("same_on_all_ranks: the first difference is named, with the first rank that has it") {
  CountingCommunicator world(test::world());
  const NamedValues common = {{"--seed", "42"}, {"--image", ""}, {"--out", "a b"}};
  world.reset();
  same_on_all_ranks(world, "program", common);
  CHECK(world.flags().calls == 1);

  const int last = world.size() - 1;
  NamedValues mine = common;
  if (world.rank() == last) mine[1].second = "other.png";
  if (world.rank() == last) mine[2].second = "c";
  const Caught seen = caught([&] { same_on_all_ranks(world, "program", mine); });
  CHECK(seen.rank == last);
  CHECK(seen.message == "program: --image is  on rank 0 and other.png on rank " +
                            std::to_string(last) + ", expected the same on all ranks" + who(last));

  // A name that one of them lacks, and one that only one has.
  NamedValues shorter = common;
  if (world.rank() == 1) shorter.pop_back();
  CHECK(caught([&] { same_on_all_ranks(world, "program", shorter); }).message ==
        "program: --out is a b on rank 0 and not there on rank 1, expected the same on all ranks" +
            who(1));
  NamedValues longer = common;
  if (world.rank() == 1) longer.emplace_back("--step", "1");
  CHECK(caught([&] { same_on_all_ranks(world, "program", longer); }).message ==
        "program: --step is not there on rank 0 and 1 on rank 1, expected the same on all ranks" +
            who(1));
}

TEST_CASE("same_on_all_ranks: numbers and strings by their names") {
  CountingCommunicator world(test::world());
  same_on_all_ranks(world, "program", "--seed", std::uint64_t{42}, "--step", 0.1, "--out", "a b");
  CHECK(world.flags().calls == 1);
  const double step = world.rank() == 1 ? 0.1 : 0.25;
  const Caught seen =
      caught([&] { same_on_all_ranks(world, "program", "--seed", 42, "--step", step); });
  CHECK(seen.message ==
        "program: --step is 0.25 on rank 0 and 0.1 on rank 1, expected the same on all ranks" +
            who(1));
}
