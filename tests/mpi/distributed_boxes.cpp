// SPDX-License-Identifier: BSD-3-Clause
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/roll.h>

#include "allocations.hpp"
#include "boxes.hpp"
#include "catch.hpp"
#include "distributed_parts.hpp"
#include "tessera/comm/box_exchange.hpp"
#include "tessera/core/real_dot.hpp"
#include "tessera/denoiser/total_variation.hpp"
#include "tessera/distributed/box_space.hpp"
#include "tessera/distributed/boxed_operator.hpp"
#include "tessera/distributed/boxed_stack.hpp"
#include "tessera/distributed/sharded_denoiser.hpp"
#include "tessera/distributed/tiled_denoiser.hpp"
#include "tessera/fidelity/l2.hpp"
#include "tessera/physics/detail/extension.hpp"
#include "tessera/physics/gaussian_kernel.hpp"
#include "tessera/physics/stacked.hpp"
#include "tessera/prior/plug_and_play.hpp"
#include "tessera/solver/cgls.hpp"
#include "tessera/solver/hqs.hpp"
#include "tessera/solver/pnp.hpp"
#include "world.hpp"

using namespace tessera;
using test::relative_error;

// Images that ranks hold in boxes, on 1 to 5 ranks, beside the same whole.
namespace {

constexpr Padding paddings[] = {Padding::circular, Padding::reflect, Padding::replicate,
                                Padding::constant, Padding::valid};

/// A kernel of no symmetry, odd and even extents.
Tensor kernel_for(const Tensor& image) {
  Extents shape = {1, 1};
  for (std::int64_t d = 2; d < image.dim(); ++d) shape.push_back(d == 2 ? 4 : 5);
  const Tensor kernel = test::indexed(shape) + 1;
  return kernel / kernel.sum();
}

StackedPhysics whole_stack(const Tensor& image, Padding padding) {
  return StackedPhysics({std::make_shared<Blur>(kernel_for(image), padding),
                         std::make_shared<Blur>(kernel_for(image).flip({2, 3}), padding)});
}

StackedPhysics boxed_stack(const BoxSpacePtr& space, const Tensor& image, Padding padding) {
  return StackedPhysics({boxed_blur(space, kernel_for(image), padding),
                         boxed_blur(space, kernel_for(image).flip({2, 3}), padding)});
}

}  // namespace

TEST_CASE("boxes are filled from their owners, and the transpose adds back") {
  const Tensor image = test::indexed({2, 1, 12, 19});
  const BoxSpacePtr space = test::boxes_for(image);
  BoxesOfRanks owned, wanted;
  for (int rank = 0; rank < test::world()->size(); ++rank) {
    owned.push_back({space->boxes()[static_cast<std::size_t>(rank)]});
    // Beyond both ends of a repeating image, and one box more than once around.
    wanted.push_back({{{{-3 + rank, 4 + rank}, {-5, 7}}}, {{{2, 2 + 2 * 12}, {18, 21}}}});
  }
  const BoxExchange exchange(test::world(), owned, wanted, {12, 19});
  const Tensor own = space->scatter(image);
  const TensorList filled = exchange.forward({own});
  const int rank = test::world()->rank();
  CHECK(at::equal(filled[0], at::roll(image.repeat({1, 1, 2, 2}), {3 - rank, 5}, {2, 3})
                                 .narrow(2, 0, 7)
                                 .narrow(3, 0, 12)));
  CHECK(at::equal(filled[1], image.repeat({1, 1, 3, 2}).narrow(2, 2, 24).narrow(3, 18, 3)));

  const TensorList weights = {test::indexed({2, 1, 7, 12}, rank),
                              test::indexed({2, 1, 24, 3}, 5 + rank)};
  const Tensor back = exchange.adjoint(weights).front();
  const double in_boxes = real_dot(filled[0], weights[0]) + real_dot(filled[1], weights[1]);
  const Tensor sums = at::full({1, 1}, in_boxes, at::kDouble);
  const Tensor ones = at::full({1, 1}, 1.0, at::kDouble);
  CHECK(space->dot_each(sums, ones, 1).front() ==
        Approx(space->dot_each(own, back, 1).front()).epsilon(1e-11));
}

TEST_CASE("halos are what surrounds a box, whatever an image continues with") {
  for (const Tensor& image : test::images_to_share()) {
    const BoxSpacePtr space = test::boxes_for(image);
    CHECK(at::equal(space->gather(space->scatter(image)), image));
    const auto axes = static_cast<std::size_t>(image.dim() - 2);
    const Halo halo{Extents(axes, 2), Extents(axes, 3)};
    for (const Padding padding : paddings) {
      INFO(to_string(padding));
      const Tensor own = space->scatter(image);
      const Tensor grown = space->with_halo(own, halo, padding);
      Box box = space->local();
      Box origin{std::vector<Interval>(axes, Interval{-2, 0})};
      for (std::size_t d = 0; d < axes; ++d) {
        Interval& along = box.axes[d];
        along = {along.begin - 2, along.end + 3};
        if (padding != Padding::valid) continue;
        along = {std::max<std::int64_t>(0, along.begin), std::min(space->extents()[d], along.end)};
        origin.axes[d].begin = 0;
      }
      CHECK(
          at::equal(grown, part_of(extend(image, padding, halo.before, halo.after), origin, box)));
      const Tensor weights = test::indexed(grown.sizes().vec(), test::world()->rank());
      const Tensor folded = space->add_halo(weights, halo, padding);
      const double size = space->norm_each(grown, 1).front() * space->norm_each(weights, 1).front();
      CHECK(space->dot_each(grown, weights, 1).front() ==
            Approx(space->dot_each(own, folded, 1).front()).margin(1e-12 * size));
    }
  }
}

TEST_CASE("blurs of boxes are the boxes of blurs", "[eight]") {
  for (const Tensor& image : test::images_to_share()) {
    const BoxSpacePtr space = test::boxes_for(image);
    for (const Padding padding : paddings) {
      INFO(to_string(padding));
      const Blur whole(kernel_for(image), padding);
      const auto boxed = boxed_blur(space, kernel_for(image), padding);
      const TensorList y = boxed->forward(space->scatter(image));
      if (padding != Padding::valid) {
        CHECK(relative_error(space->gather(y.front()), whole.apply(image)) < 1e-14);
      }
      CHECK(relative_error(space->gather(boxed->adjoint(y)), whole.normal(image)) < 1e-14);
    }
  }
  if (test::world()->size() > 3) return;  // the norm: some eighty exchanges, of any number of ranks
  const Tensor image = test::indexed({1, 1, 16, 21});
  const BoxSpacePtr space = test::boxes_for(image);
  const auto boxed = boxed_blur(space, kernel_for(image), Padding::reflect);
  CHECK(boxed->norm_squared(space->scatter(image)) ==
        Approx(Blur(kernel_for(image), Padding::reflect).norm_squared(image)).epsilon(0.02));
}

TEST_CASE("a denoiser by windows from any owners gives the bits of whole images") {
  for (const Tensor& image : test::images_to_share()) {
    const BoxSpacePtr space = test::boxes_for(image);
    for (const bool is_grid : {false, true}) {
      DenoiserPtr denoiser = std::make_shared<test::LocalDenoiser>(3);
      if (is_grid) denoiser = std::make_shared<test::GridDenoiser>();
      for (const std::int64_t tiles : {1, 5}) {
        const TilingOptions tiling{.context = 2, .blend = 4, .minimum_tiles = tiles};
        const TiledDenoiser tiled(denoiser, test::world(), tiling);
        const ShardedDenoiser sharded(denoiser, space, tiling);
        const Tensor own = space->scatter(image);
        CHECK(at::equal(sharded.denoise(own, 0.2), space->scatter(tiled.denoise(image, 0.2))));
      }
    }
  }
}

TEST_CASE("a solver on boxes reaches what it reaches on the whole image", "[eight]") {
  const Tensor image = test::indexed({1, 2, 16, 21}) / 1000;
  const BoxSpacePtr space = test::boxes_for(image);
  const auto whole = std::make_shared<StackedPhysics>(whole_stack(image, Padding::reflect));
  const auto boxed = std::make_shared<StackedPhysics>(boxed_stack(space, image, Padding::reflect));
  const TensorList y = whole->forward(image);
  TensorList own;
  for (const Tensor& one : y) own.push_back(space->scatter(one));
  const L2 of_whole(whole, y, image);
  const Tensor x0 = 0.5 * image;
  const L2 of_boxes(boxed, own, space->scatter(image));
  CHECK(of_boxes.value(space->scatter(x0)) == Approx(of_whole.value(x0)).epsilon(1e-12));

  const TilingOptions exact{.tiling = Tiling::exact};
  const auto denoiser = std::make_shared<test::LocalDenoiser>(2);
  const PlugAndPlay prior = PlugAndPlay::fixed(denoiser, NoiseLevel(0.1));
  const PlugAndPlay of_tiles = PlugAndPlay::fixed(
      std::make_shared<ShardedDenoiser>(denoiser, space, exact), NoiseLevel(0.1));
  PnPOptions pnp{.step = 0.4};
  pnp.stopping.max_iterations = 3;
  const Tensor expected = PnP(of_whole, prior, pnp).solve(x0).x;
  const SolveResult reached = PnP(of_boxes, of_tiles, pnp).solve(space->scatter(x0));
  CHECK(relative_error(space->gather(reached.x), expected) < 1e-12);
}

TEST_CASE("conjugate gradients on boxes reach the exact solution of the whole image") {
  const Tensor image = test::indexed({1, 2, 16, 21}) / 1000;
  const BoxSpacePtr space = test::boxes_for(image);
  const StackedPhysics whole = whole_stack(image, Padding::circular);
  const double shift = 10;  // few iterations
  const ConjugateGradientOptions tight{.tolerance = 1e-12};
  const Tensor reached = boxed_stack(space, image, Padding::circular)
                             .solve_normal(space->scatter(image), shift, tight);
  CHECK(relative_error(space->gather(reached), whole.solve_normal(image, shift)) < 1e-11);
}

TEST_CASE("no rank has a tensor as large as the image while it restores its box") {
  const auto ranks = test::world()->size();
  if (ranks < 3) return;  // on fewer, a halo and a window are too much of half an image
  const Tensor image = test::indexed({1, 1, 240, 256}, 0, at::kFloat);
  const BoxSpacePtr space = test::boxes_for(image);
  const Tensor own = space->scatter(image);
  const test::LargestAllocation largest;
  std::vector<BoxedOperatorPtr> blurs;
  for (const double width : {0.5, 0.6, 0.7, 0.8}) {
    blurs.push_back(boxed_blur(space, gaussian_kernel({width, width}).to(at::kFloat),
                               blurs.empty() ? Padding::circular : Padding::reflect));
  }
  const auto physics = std::make_shared<BoxedStack>(blurs);
  const L2 fidelity(physics, physics->forward(own), own);
  const auto denoiser =
      std::make_shared<TotalVariation>(TotalVariationOptions{.max_iterations = 2});
  const PlugAndPlay prior = PlugAndPlay::fixed(
      std::make_shared<ShardedDenoiser>(
          denoiser, space, TilingOptions{.context = 4, .blend = 4, .minimum_tiles = 4 * ranks}),
      NoiseLevel(0.1));
  PnPOptions options{.step = 0.2};
  options.stopping.max_iterations = 2;
  PnP(fidelity, prior, options).solve(0.5 * own);
  // The spectrum of a kernel, once, in float64.
  const double share = static_cast<double>(image.nbytes()) / ranks;
  CHECK(static_cast<double>(largest.bytes()) > 0.9 * share);
  CHECK(largest.bytes() < image.nbytes());
  CHECK(static_cast<double>(largest.bytes()) < 2.7 * share);
}

TEST_CASE("what cannot be shared out is refused on every rank") {
  const auto ranks = static_cast<std::int64_t>(test::world()->size());
  if (ranks == 1) return;  // one rank can share out anything
  CHECK_THROWS_WITH(BoxSpace(test::world(), {1, ranks - 1}),
                    test::contains("ranks cannot share an image of [1, "));
  CHECK_THROWS_WITH(BoxSpace(test::world(), {64, 64}, {.grid = {ranks, 2}}),
                    test::contains("by a grid of"));
  const BoxSpace space(test::world(), {64, 64});
  CHECK_THROWS_WITH(space.with_halo(at::full({1, 1, 3, 3}, 1.0), {{1, 1}, {1, 1}}, Padding::valid),
                    test::contains("expected (B, C, ...) of extents"));
}
