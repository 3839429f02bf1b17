// SPDX-License-Identifier: BSD-3-Clause
#include <ATen/ops/full_like.h>

#include <cmath>

#include "boxes.hpp"
#include "catch.hpp"
#include "ridge_weights.hpp"
#include "tensors.hpp"
#include "tessera/distributed/boxed_operators.hpp"
#include "tessera/distributed/sharded_ridge_prior.hpp"
#include "tessera/distributed/sharded_variation_prior.hpp"
#include "tessera/distributed/sharded_wavelet_prior.hpp"
#include "tessera/distributed/slab_blur.hpp"
#include "tessera/fidelity/l2.hpp"
#include "tessera/metric/errors.hpp"
#include "tessera/metric/psnr.hpp"
#include "tessera/metric/shared_out.hpp"
#include "tessera/metric/ssim.hpp"
#include "tessera/physics/finite_differences.hpp"
#include "tessera/physics/gaussian_kernel.hpp"
#include "tessera/prior/l1_prior.hpp"
#include "tessera/prior/total_variation_prior.hpp"
#include "tessera/solver/admm.hpp"
#include "tessera/solver/hqs.hpp"
#include "tessera/solver/primal_dual.hpp"
#include "tessera/solver/proximal_gradient.hpp"
#include "world.hpp"

using namespace tessera;
using test::relative_error;

// Priors and metrics of images that ranks hold in boxes, on 1 to 5 ranks, beside those of whole
// images.
namespace {

std::vector<Tensor> images() {
  return {test::indexed({2, 3, 29, 47}), test::indexed({1, 2, 13, 17, 31})};
}

/// Images that can be halved three times, in boxes that can.
std::vector<Tensor> dyadic_images() {
  return {test::indexed({2, 3, 24, 40}), test::indexed({1, 2, 16, 8, 40})};
}

}  // namespace

TEST_CASE("metrics of boxes are those of the image") {
  for (const Tensor& image : images()) {
    const BoxSpacePtr space = test::boxes_for(image);
    const Tensor reference = image + 0.1 * test::indexed(image.sizes(), 1.7);
    const Tensor a = space->scatter(image);
    const Tensor b = space->scatter(reference);
    CHECK(relative_error(mse(*space, a, b), mse(image, reference)) < 1e-12);
    CHECK(relative_error(psnr(*space, a, b, 2.0), psnr(image, reference, 2.0)) < 1e-12);
    CHECK(relative_error(mae(*space, a, b), mae(image, reference)) < 1e-12);
    CHECK(relative_error(nrmse(*space, a, b), nrmse(image, reference)) < 1e-12);
    CHECK(relative_error(ssim(*space, a, b), ssim(image, reference)) < 1e-12);
    // One channel at a time.
    const SsimOptions usual;
    const Extents half(space->extents().size(), 5);
    const Tensor window = tessera::detail::ssim_window(usual, a);
    const auto constants =
        tessera::detail::ssim_constants(usual, tessera::detail::intensities(*space, a, b, usual));
    const Tensor sums =
        tessera::detail::ssim_sums(*space, a, b, {half, half}, window, constants, 1);
    CHECK(relative_error(tessera::detail::ssim_sums(*space, a, b, {half, half}, window, constants),
                         sums) < 1e-12);
    // Far from zero and in float32: which precision is needed is decided by all parts together.
    const Tensor far = (1000 + 50 * image).to(at::kFloat);
    const Tensor near = (1000 + 50 * reference).to(at::kFloat);
    const SsimOptions options{.range = 100, .sigma = 1.0};
    CHECK(relative_error(ssim(*space, space->scatter(far), space->scatter(near), options),
                         ssim(far, near, options)) < 1e-6);
    Tensor broken = image.clone();
    broken.view(-1)[0] = std::nan("");
    CHECK(ssim(*space, space->scatter(broken), b).isnan().all().item<bool>());
  }
  const Tensor narrow = test::indexed({1, 1, 5, 64});
  const BoxSpacePtr space = test::boxes_for(narrow);
  CHECK_THROWS_WITH(ssim(*space, space->scatter(narrow), space->scatter(narrow)),
                    test::contains("the whole image is [1, 1, 5, 64]"));
}

TEST_CASE("a ridge prior of boxes has the value and gradient of the image") {
  for (const Tensor& image : images()) {
    const BoxSpacePtr space = test::boxes_for(image);
    Extents filter(static_cast<std::size_t>(image.dim() - 2), 3);
    filter.back() = 4;
    const RidgePrior whole(test::ridge_weights(filter, 5, test::weakly_convex_knots), 0.1);
    const ShardedRidgePrior sharded(whole, space);
    const Tensor own = space->scatter(image);
    CHECK(*sharded.value(own) == Approx(*whole.value(image)).epsilon(1e-12));
    CHECK(relative_error(space->gather(sharded.gradient(own)), whole.gradient(image)) < 1e-12);
    CHECK_THROWS_WITH(
        ShardedRidgePrior(whole, std::make_shared<BoxSpace>(test::world(), Extents{64})),
        test::contains("sharded(ridge_prior): the space has images of [64]"));
  }
  // Boxes of one row each: windows at the far border hold no place of a filter.
  const Tensor image = test::indexed({1, 1, test::world()->size() + 2, 7});
  const auto rows = std::make_shared<BoxSpace>(test::world(), image.sizes().slice(2).vec(),
                                               BoxSpaceOptions{.grid = {test::world()->size(), 1}});
  const RidgePrior whole(test::ridge_weights({3, 3}, 4, test::weakly_convex_knots), 0.1);
  const ShardedRidgePrior sharded(whole, rows);
  CHECK(*sharded.value(rows->scatter(image)) == Approx(*whole.value(image)).epsilon(1e-12));
  CHECK(relative_error(rows->gather(sharded.gradient(rows->scatter(image))),
                       whole.gradient(image)) < 1e-12);
}

TEST_CASE("total variation of boxes: its value, and least squares with it") {
  for (const Tensor& image : images()) {
    const BoxSpacePtr space = test::boxes_for(image);
    const auto differences = boxed_differences(space);
    const Tensor own = space->scatter(image);
    for (const ChannelCoupling channels : {ChannelCoupling::joint, ChannelCoupling::separate}) {
      CHECK(boxed_total_variation(*differences, own, channels) ==
            Approx(TotalVariation({.channels = channels}).value(image)).epsilon(1e-12));
    }
    const Tensor kernel =
        gaussian_kernel(std::vector<double>(static_cast<std::size_t>(image.dim() - 2), 0.6));
    const auto boxed = boxed_blur(space, kernel);
    const auto blur = std::make_shared<Blur>(kernel);
    const Tensor y = blur->apply(image);
    const L2 of_whole(blur, {y}, image);
    const L2 of_boxes(boxed, {space->scatter(y)}, own);
    PrimalDualOptions options{.primal_step = 0.2, .dual_step = 0.3};
    options.stopping.max_iterations = 6;
    const auto group = std::make_shared<GroupL1Prior>();
    const PrimalDual whole(of_whole, {{std::make_shared<FiniteDifferences>(), group, 0.02}},
                           nullptr, options);
    const PrimalDual sharded(of_boxes, {{differences, group, 0.02}}, nullptr, options);
    CHECK(relative_error(space->gather(sharded.solve(space->scatter(y)).x), whole.solve(y).x) <
          1e-12);
    if (test::world()->size() > 1) {
      CHECK_THROWS_WITH(
          PrimalDual(of_boxes, {{std::make_shared<FiniteDifferences>(), group, 0.02}}, nullptr),
          test::contains("of the fidelity's space"));
    }
  }
}

TEST_CASE("the proximal operator of total variation on boxes is that of the image") {
  for (const Tensor& image : images()) {
    const BoxSpacePtr space = test::boxes_for(image);
    const Tensor own = space->scatter(image);
    for (const ChannelCoupling channels : {ChannelCoupling::joint, ChannelCoupling::separate}) {
      const TotalVariationPrior whole(0.3, {.channels = channels, .relative_gap = 1e-2});
      const ShardedTotalVariationPrior sharded(whole, space);
      CHECK(*sharded.value(own) == Approx(*whole.value(image)).epsilon(1e-12));
      CHECK(relative_error(space->gather(sharded.prox(own, 0.1)), whole.prox(image, 0.1)) < 1e-12);
    }
    if (test::world()->size() > 2) continue;  // a hundred exchanges more
    // Few steps, no multiple of those between two looks at the gap; none, where nothing is to do.
    const TotalVariationPrior short_of(20, {.relative_gap = 0, .max_iterations = 11});
    CHECK(relative_error(space->gather(ShardedTotalVariationPrior(short_of, space).prox(own, 1)),
                         short_of.prox(image, 1)) < 1e-12);
    const Tensor flat = at::full_like(own, 0.25);
    CHECK(relative_error(ShardedTotalVariationPrior(short_of, space).prox(flat, 1), flat) < 1e-15);
  }
}

TEST_CASE("a wavelet prior of boxes is that of the image") {
  for (const Tensor& image : dyadic_images()) {
    const BoxSpacePtr space = test::boxes_for(image, {.alignment = 8});
    const Tensor own = space->scatter(image);
    for (const WaveletOptions options :
         {WaveletOptions{.order = 1, .levels = 3}, WaveletOptions{.order = 2, .levels = 1},
          WaveletOptions{.order = 4, .levels = 3}}) {
      const WaveletPrior whole(0.3, options);
      const ShardedWaveletPrior sharded(whole, space);
      CHECK(*sharded.value(own) == Approx(*whole.value(image)).epsilon(1e-12));
      CHECK(relative_error(space->gather(sharded.prox(own, 0.5)), whole.prox(image, 0.5)) < 1e-12);
    }
  }
  const BoxSpacePtr odd = test::boxes_for(images().front());
  CHECK_THROWS_WITH(ShardedWaveletPrior(WaveletPrior(1), odd),
                    test::contains("is not at multiples of 8, those of 3 levels") &&
                        test::contains("BoxSpaceOptions::alignment = 8"));
}

TEST_CASE("solvers by proximal operators of total variation and wavelets on boxes") {
  const StoppingRules three{.max_iterations = 3};
  const Tensor image = test::indexed({1, 3, 24, 40});
  const BoxSpacePtr space = test::boxes_for(image, {.alignment = 8});
  const Tensor kernel = gaussian_kernel({0.6, 0.6});
  const auto blur = std::make_shared<Blur>(kernel);
  const auto boxed = slab_blur(space, kernel);
  const Tensor y = blur->apply(image);
  const Tensor own = space->scatter(y);
  const L2 of_whole(blur, {y}, y);
  const L2 of_boxes(boxed, {own}, own);
  const auto check = [&](const Prior& whole, const Prior& sharded) {
    const auto same = [&](const auto& make) {
      const Tensor expected = make(of_whole, whole).solve(y).x;
      CHECK(relative_error(space->gather(make(of_boxes, sharded).solve(own).x), expected) < 1e-12);
      CHECK(relative_error(expected, y) > 1e-3);
    };
    same([&](const L2& fidelity, const Prior& prior) {
      return ADMM(fidelity, prior, {.step = 2, .stopping = three});
    });
    if (test::world()->size() > 2) return;  // the same exchanges, in another order
    same([&](const L2& fidelity, const Prior& prior) {
      return ProximalGradient(fidelity, prior, {.step = 0.8, .stopping = three});
    });
    same([&](const L2& fidelity, const Prior& prior) {
      return HQS(fidelity, prior, {.schedule = HqsSchedule::dpir(0.1, 3)});
    });
  };
  const TotalVariationPrior variation(0.1, {.max_iterations = 3});
  check(variation, ShardedTotalVariationPrior(variation, space));
  const WaveletPrior wavelets(0.1);
  check(wavelets, ShardedWaveletPrior(wavelets, space));
}
