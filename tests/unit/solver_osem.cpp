// SPDX-License-Identifier: BSD-3-Clause
// Ordered subsets: one of them is MLEM, several come further in as many iterations.
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/ones_like.h>

#include <limits>

#include "catch.hpp"
#include "tensors.hpp"
#include "tessera/comm/self.hpp"
#include "tessera/core/error.hpp"
#include "tessera/distributed/distributed_physics.hpp"
#include "tessera/fidelity/data_fidelity.hpp"
#include "tessera/fidelity/poisson_distance.hpp"
#include "tessera/physics/algebra.hpp"
#include "tessera/physics/blur.hpp"
#include "tessera/physics/gaussian_kernel.hpp"
#include "tessera/physics/stacked.hpp"
#include "tessera/solver/mlem.hpp"

using namespace tessera;

namespace {

/// Five blurs, each longest in a direction of its own, and the counts they would have on average.
struct Views {
  std::shared_ptr<StackedPhysics> physics =
      std::make_shared<StackedPhysics>(5, [](std::int64_t index) {
        return std::make_unique<Blur>(
            gaussian_kernel(1.2, 0.4, 36.0 * static_cast<double>(index), at::kDouble));
      });
  Tensor truth = 100 * test::sine_image(1, 9, 7).square();
  TensorList counts = physics->forward(truth);
  DataFidelity fidelity{physics, counts, std::make_shared<PoissonDistance>()};
  Tensor start = at::full({1, 1, 9, 7}, 30.0, at::kDouble);
};

StoppingRules iterations(std::int64_t count) {
  return {.max_iterations = count};
}

class Nobody : public Observer {
 public:
  Verdict on_iteration(const Iteration& /*iteration*/) override { return Verdict::proceed; }
};

}  // namespace

TEST_CASE("One iteration of OSEM is MLEM over each subset in turn", "[solver]") {
  const Views views;
  const MLEM osem(views.fidelity, {.subsets = 2, .stopping = iterations(1)});
  CHECK(osem.name() == "osem");
  CHECK(MLEM(views.fidelity).name() == "mlem");
  // One subset, by the formula.
  TensorList ratio = views.physics->forward(views.start);
  TensorList ones;
  for (std::size_t i = 0; i < ratio.size(); ++i) {
    ones.push_back(at::ones_like(ratio[i]));
    ratio[i] = views.counts[i] / ratio[i];
  }
  const Tensor expected =
      views.start * views.physics->adjoint(ratio) / views.physics->adjoint(ones);
  CHECK(test::relative_error(MLEM(views.fidelity).step(views.start), expected) < 1e-14);
  Tensor x = views.start;
  for (const std::vector<std::int64_t>& indices : {std::vector<std::int64_t>{0, 2, 4}, {1, 3}}) {
    TensorList some;
    for (const std::int64_t i : indices) some.push_back(views.counts[static_cast<std::size_t>(i)]);
    const DataFidelity part(std::make_shared<StackedPhysics>(views.physics->subset(indices)), some,
                            std::make_shared<PoissonDistance>());
    x = MLEM(part, {.stopping = iterations(1)}).solve(x).x;
  }
  CHECK(at::equal(osem.solve(views.start).x, x));
  // Of one rank's share of operators that are shared out, all of them here, the same.
  const auto shared = std::make_shared<DistributedPhysics>(*views.physics, self_communicator());
  const DataFidelity fidelity(shared, views.counts, std::make_shared<PoissonDistance>());
  CHECK(test::relative_error(
            MLEM(fidelity, {.subsets = 2, .stopping = iterations(1)}).solve(views.start).x, x) <
        1e-14);
}

TEST_CASE("OSEM comes further than MLEM in as many iterations", "[solver]") {
  const Views views;
  for (const std::int64_t count : {1, 3, 8}) {
    double last = std::numeric_limits<double>::infinity();
    for (const std::int64_t subsets : {1, 2, 5}) {
      CAPTURE(count, subsets);
      const Tensor x = MLEM(views.fidelity, {.subsets = subsets, .stopping = iterations(count)})
                           .solve(views.start)
                           .x;
      CHECK(views.fidelity.value(x) < last);
      last = views.fidelity.value(x);
    }
    // About as far as MLEM in five times as many.
    const Tensor slow =
        MLEM(views.fidelity, {.stopping = iterations(5 * count)}).solve(views.start).x;
    CHECK(last < 2 * views.fidelity.value(slow));
  }
}

TEST_CASE("OSEM keeps the total of its last subset", "[solver]") {
  const Views views;
  const MLEM osem(views.fidelity, {.subsets = 5, .stopping = iterations(3)});
  const SolveResult result = osem.solve(views.start);
  CHECK(views.physics->at(4).forward(result.x).front().sum().item<double>() ==
        Approx(views.counts[4].sum().item<double>()).epsilon(1e-12));
  CHECK(result.images.size() == 5);
}

TEST_CASE("OSEM goes on with the same bits", "[solver]") {
  const Views views;
  const auto solver = [&](std::int64_t count) {
    return MLEM(views.fidelity, {.subsets = 3, .stopping = iterations(count)});
  };
  Nobody nobody;
  const SolveResult whole = solver(6).solve(views.start);
  const SolveResult half = solver(2).solve(views.start);
  CHECK(at::equal(solver(6).solve(SolverState(half), nobody).x, whole.x));
}

TEST_CASE("OSEM refuses subsets that cannot be", "[solver]") {
  const Views views;
  CHECK_THROWS_WITH(MLEM(views.fidelity, {.subsets = 6}),
                    test::contains("subsets is 6, expected 1 to the number of operators, 5"));
  CHECK_THROWS_AS(MLEM(views.fidelity, {.subsets = 0}), error::InvalidArgument);
  const DataFidelity half(weighted(views.physics, 0.5), views.counts,
                          std::make_shared<PoissonDistance>());
  CHECK(MLEM(half, {.stopping = iterations(1)}).solve(views.start).iterations == 1);
  CHECK_THROWS_WITH(MLEM(half, {.subsets = 2}), test::contains("weighted(stacked) has no subsets"));
}
