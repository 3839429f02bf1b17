// SPDX-License-Identifier: BSD-3-Clause
#include <ATen/ops/equal.h>

#include <functional>
#include <string>

#include "boxes.hpp"
#include "catch.hpp"
#include "distributed_parts.hpp"
#include "failures.hpp"
#include "tessera/comm/counting.hpp"
#include "tessera/distributed/boxed_slices.hpp"
#include "tessera/distributed/boxed_stack.hpp"
#include "tessera/distributed/operator_groups.hpp"
#include "tessera/distributed/sharded_denoiser.hpp"
#include "tessera/fidelity/l2.hpp"
#include "tessera/physics/stacked.hpp"
#include "tessera/prior/plug_and_play.hpp"
#include "tessera/solver/pnp.hpp"
#include "tessera/tomography/tomography.hpp"
#include "world.hpp"

using namespace tessera;
using test::relative_error;

// Volumes by slices, and ranks in two dimensions, on 1, 2 and 4 ranks.
namespace {

/// Four blurs of no symmetry; those of one group, and of all.
std::vector<Tensor> four_kernels() {
  std::vector<Tensor> kernels;
  for (const std::int64_t extent : {3, 5, 4, 3}) {
    const Tensor kernel =
        test::indexed({1, 1, extent, extent + 1}, static_cast<double>(kernels.size())) + 1;
    kernels.push_back(kernel / kernel.sum());
  }
  return kernels;
}

LinearPhysicsPtr blurs_of_group(const RankGrid& grid, const BoxSpacePtr& space) {
  const std::vector<Tensor> kernels = four_kernels();
  const std::size_t each = kernels.size() / static_cast<std::size_t>(grid.groups());
  std::vector<BoxedOperatorPtr> blurs;
  for (std::size_t i = 0; i < each; ++i) {
    const std::size_t index = each * static_cast<std::size_t>(grid.group()) + i;
    blurs.push_back(boxed_blur(space, kernels[index], Padding::reflect));
  }
  return std::make_shared<BoxedStack>(blurs);
}

}  // namespace

TEST_CASE("a scan by parallel rays of a volume in slabs is that of each slice") {
  const auto counting = std::make_shared<CountingCommunicator>(test::world());
  const std::int64_t ranks = counting->size();
  for (const std::int64_t channels : {1, 2}) {
    const Tensor volume = test::indexed({2, channels, 7, 12, 15});
    const auto space =
        std::make_shared<BoxSpace>(counting, Extents{7, 12, 15}, BoxSpaceOptions{{ranks, 1, 1}});
    const auto scan =
        std::make_shared<Tomography>(Extents{12, 15}, 1.0, ScanGeometry::parallel(9, 21));
    BoxedSlices slices(space, scan);
    slices.set_noise(std::make_shared<GaussianNoise>(0.1, 7));
    Tensor whole = volume.new_zeros({2, channels, 7, 9, 21});
    Tensor back = volume.new_zeros(volume.sizes());
    for (std::int64_t z = 0; z < 7; ++z) {
      const Tensor y = scan->apply(volume.select(2, z));
      whole.select(2, z).copy_(y);
      back.select(2, z).copy_(scan->apply_adjoint(y));
    }
    const Interval mine = space->local().axes.front();
    const auto part = [&](const Tensor& all) { return all.narrow(2, mine.begin, mine.length()); };
    const Tensor own = space->scatter(volume);
    counting->reset();
    const Tensor y = slices.forward(own).front();
    const Tensor folded = slices.adjoint({y});
    CHECK(counting->data().calls == 0);
    CHECK(at::equal(y, part(whole)));
    CHECK(at::equal(folded, part(back)));
    CHECK(at::equal(slices.measure(own).front(), part(GaussianNoise(0.1, 7).add(whole))));
  }
  if (ranks == 1) return;
  const auto columns =
      std::make_shared<BoxSpace>(test::world(), Extents{7, 12, 15}, BoxSpaceOptions{{1, ranks, 1}});
  CHECK_THROWS_WITH(BoxedSlices(columns, std::make_shared<Tomography>(
                                             Extents{12, 15}, 1.0, ScanGeometry::parallel(9, 21))),
                    test::contains("cut along the first alone: BoxSpaceOptions::grid = {"));
}

TEST_CASE("groups of operators, each on the boxes of its ranks, are all of them on the image") {
  if (test::world()->size() % 2 != 0) return;
  const Tensor image = test::indexed({1, 2, 21, 26});
  const RankGrid grid(test::world(), 2);
  const auto space = std::make_shared<BoxSpace>(grid.image(), Extents{21, 26});
  const auto physics = std::make_shared<OperatorGroups>(grid, space, blurs_of_group(grid, space));
  std::vector<LinearPhysicsPtr> blurs;
  for (const Tensor& kernel : four_kernels()) {
    blurs.push_back(std::make_shared<Blur>(kernel, Padding::reflect));
  }
  const auto whole = std::make_shared<StackedPhysics>(blurs);
  CHECK(physics->operator_count() == 4);
  CHECK(physics->held() == (grid.group() == 0 ? Extents{0, 1} : Extents{2, 3}));

  const Tensor own = space->scatter(image);
  const TensorList y = whole->forward(image);
  TensorList parts;
  for (const std::int64_t index : physics->held()) {
    parts.push_back(space->scatter(y[static_cast<std::size_t>(index)]));
  }
  const L2 of_whole(whole, y, image);
  const L2 of_groups(physics, parts, own);
  const Tensor x0 = 0.5 * image;
  CHECK(of_groups.value(space->scatter(x0)) == Approx(of_whole.value(x0)).epsilon(1e-12));
  CHECK(relative_error(space->gather(of_groups.gradient(space->scatter(x0))),
                       of_whole.gradient(x0)) < 1e-12);

  const auto denoiser = std::make_shared<test::LocalDenoiser>(2);
  PnPOptions options{.step = 0.2};
  options.stopping.max_iterations = 3;
  const auto sharded =
      std::make_shared<ShardedDenoiser>(denoiser, space, TilingOptions{.tiling = Tiling::exact});
  const Tensor expected =
      PnP(of_whole, PlugAndPlay::fixed(denoiser, NoiseLevel(0.1)), options).solve(x0).x;
  const PlugAndPlay prior = PlugAndPlay::fixed(sharded, NoiseLevel(0.1));
  const SolveResult reached = PnP(of_groups, prior, options).solve(space->scatter(x0));
  CHECK(relative_error(space->gather(reached.x), expected) < 1e-12);
}

TEST_CASE("groups that do not fit, and a failure in one of them, are errors on all ranks") {
  if (test::world()->size() != 4) return;
  CHECK_THROWS_WITH(RankGrid(test::world(), 3), test::contains("RankGrid: 3 groups of 4 ranks"));
  const RankGrid grid(test::world(), 2);
  const auto space = std::make_shared<BoxSpace>(grid.image(), Extents{12, 14});
  CHECK_THROWS_WITH(OperatorGroups(grid, space, std::make_shared<Blur>(four_kernels().front())),
                    test::contains("operators on that space"));
  const Halo none{{0, 0}, {0, 0}};
  std::shared_ptr<const LinearOperator> part = std::make_shared<test::Circulant>(0);
  if (test::world()->rank() == 3) part = std::make_shared<test::FailingOperator>();
  const OperatorGroups physics(
      grid, space, std::make_shared<BoxedOperator>(space, part, none, Padding::constant));
  const Tensor own = space->scatter(test::indexed({1, 1, 12, 14}));
  const auto fails = [](const std::string& text, const std::function<void()>& action) {
    const error::RankFailure failure = test::failure_of(action);
    CHECK(failure.rank() >= 2);
    CHECK_THAT(failure.what(), test::contains(text));
    test::check_in_step();
  };
  fails("the operator broke", [&] { physics.adjoint(physics.forward(own)); });

  const auto blurs = std::make_shared<OperatorGroups>(grid, space, blurs_of_group(grid, space));
  const L2 fidelity(blurs, blurs->forward(own), own);
  DenoiserPtr denoiser = std::make_shared<test::LocalDenoiser>();
  if (test::world()->rank() == 3) denoiser = std::make_shared<test::FailingDenoiser>();
  const PlugAndPlay prior = PlugAndPlay::fixed(
      std::make_shared<ShardedDenoiser>(denoiser, space, TilingOptions{.context = 1, .blend = 2}),
      NoiseLevel(0.1));
  fails("the denoiser broke", [&] { PnP(fidelity, prior, {.step = 0.2}).solve(own); });
}
