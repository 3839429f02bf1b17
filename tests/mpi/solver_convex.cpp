// SPDX-License-Identifier: BSD-3-Clause
// Convex solvers whose operators are shared out: the result of one rank, dual variables included.
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include "catch.hpp"
#include "distributed_parts.hpp"
#include "root_folder.hpp"
#include "tessera/comm/counting.hpp"
#include "tessera/distributed/distributed_physics.hpp"
#include "tessera/fidelity/absolute_distance.hpp"
#include "tessera/fidelity/huber_distance.hpp"
#include "tessera/fidelity/poisson_distance.hpp"
#include "tessera/fidelity/squared_distance.hpp"
#include "tessera/physics/algebra.hpp"
#include "tessera/physics/blur.hpp"
#include "tessera/physics/downsampling.hpp"
#include "tessera/physics/finite_differences.hpp"
#include "tessera/physics/gaussian_kernel.hpp"
#include "tessera/physics/stacked.hpp"
#include "tessera/physics/translation.hpp"
#include "tessera/prior/box_prior.hpp"
#include "tessera/prior/l1_prior.hpp"
#include "tessera/run/checkpoint.hpp"
#include "tessera/solver/anderson.hpp"
#include "tessera/solver/cgls.hpp"
#include "tessera/solver/mlem.hpp"
#include "tessera/solver/pnp.hpp"
#include "tessera/solver/primal_dual.hpp"
#include "tessera/solver/proximal_gradient.hpp"
#include "toys.hpp"

using namespace tessera;

namespace {

constexpr std::int64_t operators = 2;  // with 3 ranks, one of them has none

std::unique_ptr<LinearPhysics> make_blur(std::int64_t index) {
  return std::make_unique<Blur>(gaussian_kernel(1.5, 0.5, 60.0 * static_cast<double>(index)));
}

/// A fidelity alone and shared out, of one distance.
struct Both {
  explicit Both(const DistancePtr& distance, double scale = 1)
      : truth(scale * test::sine_image(2, 12, 11).abs()),
        alone(stack, stack->forward(truth), distance),
        shared(distributed, distributed->select(stack->forward(truth)), distance) {}

  std::shared_ptr<StackedPhysics> stack = std::make_shared<StackedPhysics>(operators, make_blur);
  std::shared_ptr<DistributedPhysics> distributed =
      std::make_shared<DistributedPhysics>(operators, make_blur, test::world());
  Tensor truth;
  DataFidelity alone;
  DataFidelity shared;
};

StoppingRules iterations(std::int64_t count) {
  return {.max_iterations = count};
}

PrimalDual primal_dual(const DataFidelity& fidelity, std::int64_t count) {
  return {fidelity,
          {{std::make_shared<FiniteDifferences>(), std::make_shared<GroupL1Prior>(), 0.01}},
          std::make_shared<BoxPrior>(),
          {.stopping = iterations(count)}};
}

double difference(const Tensor& a, const Tensor& b) {
  return (a - b).abs().max().item<double>();
}

}  // namespace

TEST_CASE("Primal-dual, proximal gradient and MLEM give the result of one rank") {
  const Both absolute(std::make_shared<AbsoluteDistance>());
  const Tensor start = at::zeros({1, 2, 12, 11}, at::kDouble);
  CHECK(difference(primal_dual(absolute.alone, 12).solve(start).x,
                   primal_dual(absolute.shared, 12).solve(start).x) < 1e-12);
  const Both huber(std::make_shared<HuberDistance>(0.1));
  const L1Prior prior(0.01);
  const ProximalGradientOptions options{.step = 4, .backtracking = true, .stopping = iterations(8)};
  CHECK(difference(ProximalGradient(huber.alone, prior, options).solve(start).x,
                   ProximalGradient(huber.shared, prior, options).solve(start).x) < 1e-12);
  const Both poisson(std::make_shared<PoissonDistance>(), 50);
  const Tensor ones = at::ones_like(start);
  CHECK(difference(MLEM(poisson.alone, {.stopping = iterations(8)}).solve(ones).x,
                   MLEM(poisson.shared, {.stopping = iterations(8)}).solve(ones).x) < 1e-10);
}

TEST_CASE("CGLS, ordered subsets and Anderson give the result of one rank") {
  const Both squared(std::make_shared<SquaredDistance>());
  const Tensor start = at::zeros({1, 2, 12, 11}, at::kDouble);
  const auto cgls = [&](const DataFidelity& fidelity, std::int64_t count) {
    return CGLS(fidelity, {.weight = 0.01, .tolerance = 1e-10, .stopping = iterations(count)})
        .solve(start);
  };
  CHECK(difference(cgls(squared.shared, 8).x, cgls(squared.alone, 8).x) < 1e-12);
  const SolveResult shared = cgls(squared.shared, 500);
  CHECK(shared.reason == StopReason::tolerance);
  // Rounding sets iterates apart on the way, not where they end.
  CHECK(difference(shared.x, cgls(squared.alone, 500).x) < 1e-8);
  CHECK(shared.measured.at("residual").size() == squared.distributed->held().size());

  const L1Prior prior(0.01);
  const PnPOptions options{.step = 0.4};
  const PnP method(squared.alone, prior, options);
  const PnP shared_method(squared.shared, prior, options);
  CHECK(difference(Anderson(method, {.stopping = iterations(9)}).solve(start).x,
                   Anderson(shared_method, {.stopping = iterations(9)}).solve(start).x) < 1e-8);

  const Both poisson(std::make_shared<PoissonDistance>(), 50);
  const Tensor ones = at::ones_like(start);
  const MlemOptions subsets{.subsets = 2, .stopping = iterations(8)};
  CHECK(difference(MLEM(poisson.alone, subsets).solve(ones).x,
                   MLEM(poisson.shared, subsets).solve(ones).x) < 1e-10);
}

TEST_CASE("CGLS refuses data of one rank that are not finite, on every rank") {
  const Both both(std::make_shared<SquaredDistance>());
  TensorList y = both.distributed->select(both.stack->forward(both.truth));
  const std::vector<std::int64_t> held = both.distributed->held();
  if (!held.empty() && held.front() == 0) y[0] = y[0] / 0.0;
  const DataFidelity broken(both.distributed, y, std::make_shared<SquaredDistance>());
  CHECK_THROWS_WITH(CGLS(broken).solve(at::zeros_like(both.truth)),
                    test::contains("the measurement of held operator 0 has"));
}

TEST_CASE("Primal-dual and CGLS go on from a checkpoint with the same bits") {
  const Both absolute(std::make_shared<AbsoluteDistance>());
  const Both squared(std::make_shared<SquaredDistance>());
  const Tensor start = at::zeros({1, 2, 12, 11}, at::kDouble);
  const test::RootFolder folder;
  const auto check = [&](const std::string& name, const auto& make) {
    const SolveResult whole = make(7).solve(start);
    const std::string path = folder.file(name + ".checkpoint");
    const CheckpointOptions options{.every = 4, .held = absolute.distributed->held()};
    {
      Checkpoint checkpoint(path, test::world(), options);
      make(4).solve(start, checkpoint);
    }
    Checkpoint checkpoint(path, test::world(), options);
    const SolverState state = checkpoint.resume(start);
    CHECK(state.iterations == 4);
    const SolveResult resumed = make(7).solve(state, checkpoint);
    CHECK(at::equal(resumed.x, whole.x));
  };
  check("primal_dual", [&](std::int64_t n) { return primal_dual(absolute.shared, n); });
  check("cgls", [&](std::int64_t n) {
    return CGLS(squared.shared, {.weight = 0.01, .stopping = iterations(n)});
  });
}

TEST_CASE("Frames of half the resolution: shared out, the filter is summed once") {
  const auto make_frame = [](std::int64_t index) {
    const auto low = std::make_shared<Downsampling>(2, gaussian_kernel(0.8, 0.8, 0.0, at::kDouble),
                                                    BlurOptions{Padding::circular});
    const double shift = 0.4 * static_cast<double>(index);
    return compose(low, std::make_shared<Translation>(std::vector<double>{shift, -shift}));
  };
  const StackedPhysics alone(operators, make_frame);
  const auto counting = std::make_shared<CountingCommunicator>(test::world());
  const DistributedPhysics shared(std::vector<LinearPhysicsPtr>{make_frame(0), make_frame(1)},
                                  counting);
  const Tensor x = test::sine_image(2, 12, 10);
  CHECK(difference(shared.normal(x), alone.normal(x)) < 1e-12);
  const std::int64_t before = counting->data().calls;
  CHECK(difference(shared.normal(x + 1), alone.normal(x + 1)) < 1e-12);
  CHECK(counting->data().calls == before);  // no data moves in a gradient
  CHECK(shared.norm_squared(x) == Approx(alone.norm_squared(x)).epsilon(1e-12));
  CHECK(difference(shared.solve_normal(x, 0.2), alone.solve_normal(x, 0.2)) < 1e-11);
}
