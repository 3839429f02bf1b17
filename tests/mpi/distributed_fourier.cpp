// SPDX-License-Identifier: BSD-3-Clause
#include "catch.hpp"
#include "fourier_sums.hpp"
#include "tessera/distributed/distributed_physics.hpp"
#include "tessera/fidelity/l2.hpp"
#include "tessera/fourier/multi_coil_nonuniform_fourier.hpp"
#include "tessera/physics/stacked.hpp"
#include "world.hpp"

using namespace tessera;
using test::relative_error;

TEST_CASE("coils off the grid over ranks are the coils of one") {
  const Extents extents = {7, 6};
  const Tensor coils = test::complex_random({1, 6, 7, 6}, 1);
  const Tensor points = test::some_points(50, extents);
  const NonuniformFourierOptions options{.tolerance = 1e-12, .complex_pairs = true};
  const Tensor x = test::random({2, 2, 7, 6}, 2);
  for (const std::int64_t parts : {1, 2, 6}) {  // fewer than ranks, too
    const auto slice = [&](std::int64_t i) -> std::unique_ptr<LinearPhysics> {
      const std::int64_t each = 6 / parts;
      return std::make_unique<MultiCoilNonuniformFourier>(coils.narrow(1, i * each, each), points,
                                                          options);
    };
    const auto physics = std::make_shared<DistributedPhysics>(parts, slice, test::world());
    const auto stack = std::make_shared<StackedPhysics>(parts, slice);
    const TensorList all = stack->forward(x + 1);
    const TensorList mine = physics->forward(x + 1);
    for (std::size_t i = 0; i < mine.size(); ++i) {
      CHECK(mine[i].equal(all[static_cast<std::size_t>(physics->held()[i])]));
    }
    CHECK(physics->has_fused_normal(x));
    CHECK_FALSE(physics->has_normal_filter(x));
    CHECK(adjoint_error(*physics, x) < 1e-12);
    CHECK(relative_error(physics->normal(x), stack->normal(x)) < 1e-13);
    const L2 fused(physics, mine, x, {.drop_measurements = true});
    const L2 serial(stack, all, x, {.fused = false});
    CHECK(fused.is_fused());
    CHECK(relative_error(fused.gradient(x), serial.gradient(x)) < 1e-11);
    CHECK(fused.value(x) == Approx(serial.value(x)).epsilon(1e-10));
    const DistributedPhysics mean(parts, slice, test::world(),
                                  {.reduction = OperatorReduction::mean});
    CHECK(relative_error(mean.normal(x), stack->normal(x) / static_cast<double>(parts)) < 1e-13);
  }
}

namespace {

/// x itself, without a filter.
class Plain final : public LinearOperator {
 public:
  std::string name() const override { return "plain"; }

 private:
  Tensor do_apply(const Tensor& x) const override { return x.clone(); }
  Tensor do_apply_adjoint(const Tensor& v) const override { return v.clone(); }
};

}  // namespace

TEST_CASE("one operator without a normal operator of its own decides for all ranks") {
  const Tensor x = test::random({1, 2, 7, 6}, 2);
  const auto coil = std::make_shared<MultiCoilNonuniformFourier>(
      test::complex_random({1, 1, 7, 6}, 1), test::some_points(50, {7, 6}),
      NonuniformFourierOptions{.tolerance = 1e-12, .complex_pairs = true});
  const std::vector<LinearPhysicsPtr> mixed = {std::make_shared<Plain>(), coil, coil};
  const DistributedPhysics physics(mixed, test::world());
  CHECK_FALSE(physics.has_fused_normal(x));
  CHECK(relative_error(physics.normal(x), x + 2 * coil->normal(x)) < 1e-11);
}
