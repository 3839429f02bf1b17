// SPDX-License-Identifier: BSD-3-Clause
#include <cmath>
#include <set>
#include <string>
#include <vector>

#include <hwy/targets.h>

#include "catch.hpp"
#include "engine.hpp"
#include "engine/network.hpp"
#include "engine_reference.hpp"

using namespace test;

namespace {

/// Makes the engine use one instruction set, until the end of the scope.
class Forced {
 public:
  explicit Forced(std::int64_t target) {
    hwy::SetSupportedTargetsForTest(target);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  }
  ~Forced() {
    hwy::SetSupportedTargetsForTest(0);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  }
};

/// Calls check() with each instruction set that this processor has; returns their names.
template <typename Check>
std::set<std::string> with_each_instruction_set(const Check& check) {
  std::set<std::string> seen;
  for (std::int64_t targets = hwy::SupportedTargets(); targets != 0; targets &= targets - 1) {
    const Forced forced(targets & -targets);
    INFO(engine::instruction_set());
    seen.insert(engine::instruction_set());
    check();
  }
  return seen;
}

}  // namespace

TEST_CASE("Every instruction set that this processor has gives the same picture") {
  const ReferenceDrunet reference({8, 20, 40}, 1, 3);
  const auto network = engine::compile_drunet(reference.weights, 3, 1, {GENERATE(0.0, 1.0)});
  const Tensor x = noise({1, 4, 52, 44}, 11);
  const Tensor expected = reference(x);
  const Tensor best = network->run(x);

  const std::set<std::string> seen = with_each_instruction_set([&] {
    const Tensor result = network->run(x);
    CHECK(relative_error(result, expected) < 2e-6);
    CHECK(relative_error(result, best) < 2e-6);
    // Fused multiply-adds in one order: the same bits.
    const std::string name = engine::instruction_set();
    if (name == "AVX2" || name == "AVX3") CHECK(result.equal(best));
  });
  CHECK_FALSE(seen.empty());
  WARN("instruction sets run: " << [&] {
    std::string all;
    for (const std::string& name : seen) all += name + " ";
    return all;
  }());
}

TEST_CASE("Every instruction set passes on what is not a number through relu") {
  const std::vector<Tensor> weights = {kernel({16, 3, 3, 3}, 1), kernel({16, 16, 3, 3}, 2),
                                       kernel({3, 16, 3, 3}, 3)};
  const auto network = engine::compile_dncnn(weights, false, {GENERATE(0.0, 1.0)});
  Tensor x = noise({1, 3, 20, 21}, 12);
  x.select(2, 9).select(2, 10).fill_(std::nan(""));
  with_each_instruction_set([&] {
    // Convolutions carry it on to the neighbours, if neither relu stops it.
    const Tensor beside = network->run(x).select(2, 9).select(2, 11);
    CHECK(beside.isnan().all().item<bool>());
  });
}
