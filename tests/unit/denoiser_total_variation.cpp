// SPDX-License-Identifier: BSD-3-Clause
#include "tessera/denoiser/total_variation.hpp"

#include <ATen/ops/cat.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/full.h>
#include <ATen/ops/full_like.h>
#include <ATen/ops/maximum.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <cmath>
#include <limits>

#include "catch.hpp"
#include "denoiser_expectations.hpp"
#include "tessera/core/error.hpp"

using tessera::ChannelCoupling;
using tessera::NoiseLevel;
using tessera::TotalVariation;
using tessera::TotalVariationOptions;
using test::relative_error;
using test::Tensor;

namespace {

TotalVariation precise(ChannelCoupling channels) {
  TotalVariationOptions options;
  options.channels = channels;
  options.relative_gap = 1e-11;
  options.max_iterations = 3000;
  return TotalVariation(options);
}

double largest_difference(const Tensor& a, const Tensor& b) {
  return (a - b).abs().max().item<double>();
}

/// Values without correlation between neighbours, mean 0, standard deviation 1.
Tensor scattered(at::IntArrayRef shape) {
  const Tensor wild = test::indexed(shape).mul(43758.5453);
  return (wild - wild.floor() - 0.5) * std::sqrt(12.0);
}

/// Forward differences as an explicit matrix (S, n, n) over the n pixels of a height x width image.
Tensor difference_matrices(std::int64_t height, std::int64_t width) {
  Tensor matrices = at::zeros({2, height * width, height * width}, at::kDouble);
  auto entries = matrices.accessor<double, 3>();
  for (std::int64_t i = 0; i < height; ++i) {
    for (std::int64_t j = 0; j < width; ++j) {
      const std::int64_t pixel = i * width + j;
      if (i + 1 < height) {
        entries[0][pixel][pixel] = -1;
        entries[0][pixel][pixel + width] = 1;
      }
      if (j + 1 < width) {
        entries[1][pixel][pixel] = -1;
        entries[1][pixel][pixel + 1] = 1;
      }
    }
  }
  return matrices;
}

/// Plain projected gradient steps on the dual, without momentum, by dense matrices.
Tensor slow_joint_minimiser(const Tensor& z, const Tensor& weights) {
  const std::int64_t height = z.size(2);
  const std::int64_t width = z.size(3);
  const Tensor matrices = difference_matrices(height, width);
  const Tensor data = z.reshape({z.size(1), height * width}).t();  // pixels x channels
  const Tensor limits = weights.reshape({1, height * width, 1});
  Tensor dual = at::zeros({2, height * width, z.size(1)}, at::kDouble);
  const auto primal = [&] { return data - matrices.transpose(1, 2).matmul(dual).sum(0); };
  for (int k = 0; k < 1500; ++k) {
    dual = dual + 0.125 * matrices.matmul(primal());
    const Tensor norms = dual.square().sum({0, 2}, true).sqrt();
    dual = dual * (limits / at::maximum(norms, limits));
  }
  return primal().t().reshape(z.sizes());
}

}  // namespace

TEST_CASE("tv: the reference's converged minimisers, channels apart, in two and three dimensions") {
  const TotalVariation tv = precise(ChannelCoupling::separate);
  const auto near = [](const Tensor& result, const test::Fingerprint& expected) {
    const Tensor flat = result.reshape({-1});
    const std::int64_t n = flat.numel();
    CHECK(flat.sum().item<double>() == Approx(expected.sum).epsilon(1e-5));
    CHECK(flat.norm().item<double>() == Approx(expected.norm).epsilon(1e-5));
    const std::vector<std::int64_t> indices{0, 1, n / 3, n / 2, n - 1};
    for (std::size_t i = 0; i < indices.size(); ++i) {
      CHECK(flat[indices[i]].item<double>() == Approx(expected.values[i]).margin(1e-5));
    }
  };
  near(tv.solve(test::indexed({1, 2, 7, 6}), 0.3).image,
       {2.0214044194298406,
        2.5194673085269628,
        {0.04408745148892908, 0.34435582264628095, 0.1929899649687461, -0.617898405242959,
         0.49183121991029566}});
  near(tv.solve(test::indexed({1, 1, 4, 5, 3}), 0.25).image,
       {2.3085802638251103,
        1.6212766318788951,
        {0.10492268457012333, 0.3637975424950588, 0.15959403380637477, 0.25192390891175787,
         -0.1317906564494965}});
}

TEST_CASE("tv: signals whose minimiser is known") {
  const TotalVariation tv = precise(ChannelCoupling::joint);
  // Two pixels approach each other by the weight until they meet.
  const Tensor pair = at::tensor({0.2, 0.9}, at::kDouble).view({1, 1, 2});
  CHECK(largest_difference(tv.solve(pair, 0.1).image.view({2}),
                           at::tensor({0.3, 0.8}, at::kDouble)) < 1e-5);
  CHECK(largest_difference(tv.solve(pair, 0.4).image.view({2}),
                           at::tensor({0.55, 0.55}, at::kDouble)) < 1e-5);

  // A vertical edge: each side moves by weight / its width.
  Tensor edge = at::zeros({1, 1, 5, 8}, at::kDouble);
  edge.narrow(3, 3, 5).fill_(1);
  const Tensor result = tv.solve(edge, 0.15).image;
  CHECK(largest_difference(result.narrow(3, 0, 3), at::full({1, 1, 5, 3}, 0.15 / 3, at::kDouble)) <
        1e-6);
  CHECK(largest_difference(result.narrow(3, 3, 5),
                           at::full({1, 1, 5, 5}, 1 - 0.15 / 5, at::kDouble)) < 1e-5);

  // Colours that share an edge shrink along their difference (3, 4) of length 5.
  const Tensor colours = at::tensor({0.0, 3.0, 0.0, 4.0}, at::kDouble).view({1, 2, 1, 2});
  const Tensor expected = at::tensor({0.6, 2.4, 0.8, 3.2}, at::kDouble).view({1, 2, 1, 2});
  CHECK(largest_difference(tv.solve(colours, 1.0).image, expected) < 1e-5);
  const Tensor apart = at::tensor({1.0, 2.0, 1.0, 3.0}, at::kDouble).view({1, 2, 1, 2});
  CHECK(largest_difference(precise(ChannelCoupling::separate).solve(colours, 1.0).image, apart) <
        1e-6);
}

TEST_CASE("tv: agrees with a slow method on dense matrices, for a weight per pixel too") {
  const TotalVariation tv = precise(ChannelCoupling::joint);
  const Tensor z = test::indexed({1, 3, 4, 5});
  const Tensor weights = 0.3 + 0.2 * test::indexed({1, 1, 4, 5}, 0.6);
  CHECK(largest_difference(tv.solve(z, weights).image, slow_joint_minimiser(z, weights)) < 1e-5);
  CHECK(largest_difference(tv.solve(z, 0.3).image,
                           slow_joint_minimiser(z, at::full_like(weights, 0.3))) < 1e-5);
}

TEST_CASE("tv: value sums the norms of forward differences") {
  // Differences down and right: (2, 1), (1, 0), (0, 2), (0, 0); the second image is twice the
  // first.
  const Tensor x = at::tensor({1.0, 2.0, 3.0, 1.0}, at::kDouble).view({1, 1, 2, 2});
  const double expected = std::sqrt(5.0) + 1 + 2;
  const TotalVariation tv;
  CHECK(tv.value(x) == Approx(expected));
  CHECK(tv.value(at::cat({x, 2 * x})) == Approx(3 * expected));
  CHECK(tv.value(at::cat({x, x}, 1)) == Approx(std::sqrt(2.0) * expected));
  TotalVariationOptions separate;
  separate.channels = ChannelCoupling::separate;
  CHECK(TotalVariation(separate).value(at::cat({x, x}, 1)) == Approx(2 * expected));
}

TEST_CASE(
    "tv: stops at the gap asked for, which bounds the distance to the minimiser, and says so") {
  const Tensor z = test::sine_image(3, 24, 20) + 0.1 * scattered({1, 3, 24, 20});
  const double weight = 0.3;
  const Tensor exact = precise(ChannelCoupling::joint).solve(z, weight).image;
  std::int64_t before = 0;
  for (const double relative_gap : {1e-2, 1e-3, 1e-5, 1e-7}) {
    TotalVariationOptions options;
    options.relative_gap = relative_gap;
    const TotalVariation tv(options);
    const auto solution = tv.solve(z, weight);
    CHECK(solution.converged);
    CHECK(solution.relative_gap <= relative_gap);
    CHECK(solution.relative_gap >= 0);
    CHECK(solution.iterations > before);
    before = solution.iterations;
    const double distance = 0.5 * (solution.image - exact).square().sum().item<double>();
    const double objective = 0.5 * (solution.image - z).square().sum().item<double>() +
                             weight * tv.value(solution.image);
    CHECK(distance <= solution.relative_gap * objective);
    CHECK(distance > 0);
  }
  TotalVariationOptions options;
  options.relative_gap = 1e-9;
  options.max_iterations = 13;
  const auto stopped = TotalVariation(options).solve(z, weight);
  CHECK(stopped.iterations == 13);
  CHECK_FALSE(stopped.converged);
  CHECK(stopped.relative_gap > 1e-9);
}

TEST_CASE("tv: images of a batch do not change each other, and levels may differ") {
  const TotalVariation tv;
  const Tensor z =
      at::cat({test::sine_image(2, 15, 18) + 0.1 * scattered({1, 2, 15, 18}),
               test::indexed({1, 2, 15, 18}), at::full({1, 2, 15, 18}, 0.25, at::kDouble)});
  const Tensor before = z.clone();
  const Tensor levels = at::tensor({0.1, 0.02, 0.3}, at::kDouble);
  const Tensor together = tv.denoise(z, levels);
  CHECK(z.equal(before));
  for (std::int64_t i = 0; i < 3; ++i) {
    const Tensor alone = tv.denoise(z.narrow(0, i, 1), levels[i].item<double>());
    CHECK(largest_difference(together.narrow(0, i, 1), alone) < 1e-14);
    const Tensor map = at::full({1, 1, 15, 18}, levels[i].item<double>(), at::kDouble);
    CHECK(largest_difference(tv.denoise(z.narrow(0, i, 1), map), alone) < 1e-14);
  }
  CHECK(together[2].equal(z[2]));  // a constant image has nothing to lose
  CHECK(largest_difference(together[0], z[0]) > 0.01);
}

TEST_CASE("tv: keeps the mean, scales with the image, and leaves it alone at level 0") {
  const TotalVariation tv;
  const Tensor z = test::indexed({1, 3, 12, 9});
  const Tensor result = tv.denoise(z, 0.2);
  CHECK(largest_difference(result.mean({2, 3}), z.mean({2, 3})) < 1e-13);
  CHECK(relative_error(tv.denoise(7 * z, 7 * 0.2), 7 * result) < 1e-12);
  CHECK(tv.denoise(z, 0.0).equal(z));
}

TEST_CASE("tv: the noise level sets the weight") {
  TotalVariationOptions options;
  options.weight_per_sigma = 0.5;
  const Tensor x = test::indexed({2, 4, 6, 6});
  CHECK(TotalVariation(options).weight(0.1, x).number() == Approx(0.5 * 2 * 0.1));
  options.channels = ChannelCoupling::separate;
  CHECK(TotalVariation(options).weight(0.1, x).number() == Approx(0.05));
  const NoiseLevel weights = TotalVariation(options).weight(at::tensor({0.1, 0.3}, at::kDouble), x);
  CHECK_FALSE(weights.is_map());
  CHECK(weights.broadcastable(x)[1].item<double>() == Approx(0.15));
  const TotalVariation tv(options);
  CHECK(tv.denoise(x, 0.4).equal(tv.solve(x, 0.2).image));
}

TEST_CASE("tv: removes noise") {
  Tensor clean = at::full({1, 3, 48, 40}, 0.2, at::kDouble);
  clean.narrow(2, 10, 30).narrow(3, 0, 25).fill_(0.7);
  const double sigma = 0.1;
  const Tensor noisy = clean + sigma * scattered({1, 3, 48, 40});
  const double before = (noisy - clean).square().mean().item<double>();
  const double after =
      (TotalVariation().denoise(noisy, sigma) - clean).square().mean().item<double>();
  CHECK(before == Approx(sigma * sigma).epsilon(0.1));
  CHECK(after < 0.2 * before);
}

TEST_CASE("tv: single and half precision") {
  const Tensor z = test::sine_image(3, 20, 17) + 0.1 * scattered({1, 3, 20, 17});
  const TotalVariation tv;
  const Tensor exact = tv.denoise(z, 0.1);
  const Tensor single = tv.denoise(z.to(at::kFloat), 0.1);
  CHECK(single.scalar_type() == at::kFloat);
  CHECK(relative_error(single, exact) < 1e-4);
  const Tensor half = tv.denoise(z.to(at::kHalf), 0.1);
  CHECK(half.scalar_type() == at::kHalf);
  CHECK(relative_error(half, exact) < 2e-3);
}

TEST_CASE("tv: derivatives agree with finite differences") {
  TotalVariationOptions options;
  options.relative_gap = 0;  // the same number of steps for all
  options.max_iterations = 30;
  for (const ChannelCoupling channels : {ChannelCoupling::joint, ChannelCoupling::separate}) {
    options.channels = channels;
    const TotalVariation tv(options);
    Tensor z = test::indexed({2, 2, 5, 4}).requires_grad_();
    Tensor levels = at::tensor({0.2, 0.3}, at::kDouble).requires_grad_();
    const Tensor seed = test::indexed({2, 2, 5, 4}, 0.9);
    const Tensor direction = test::indexed({2, 2, 5, 4}, 1.7);
    const Tensor denoised = tv.denoise(z, levels);
    CHECK(relative_error(denoised.detach(), tv.denoise(z.detach(), levels.detach())) < 1e-14);
    (denoised * seed).sum().backward();
    const double h = 1e-6;
    const auto value = [&](double dz, double dl) {
      return (tv.denoise(z.detach() + dz * direction, levels.detach() + dl) * seed)
          .sum()
          .item<double>();
    };
    CHECK((z.grad() * direction).sum().item<double>() ==
          Approx((value(h, 0) - value(-h, 0)) / (2 * h)).epsilon(1e-6));
    CHECK(levels.grad().sum().item<double>() ==
          Approx((value(0, h) - value(0, -h)) / (2 * h)).epsilon(1e-6));
  }
}

TEST_CASE("tv: refuses options and images that cannot work, and does not call NaN converged") {
  TotalVariationOptions options;
  options.max_iterations = 0;
  CHECK_THROWS_AS(TotalVariation(options), tessera::error::InvalidArgument);
  options = {};
  options.weight_per_sigma = -1;
  CHECK_THROWS_AS(TotalVariation(options), tessera::error::InvalidArgument);
  const TotalVariation tv;
  CHECK_THROWS_AS(tv.solve(test::indexed({4, 4}), 0.1), tessera::error::ShapeMismatch);
  CHECK_THROWS_AS(tv.solve(test::indexed({2, 1, 4, 4}), at::full({3}, 0.1)),
                  tessera::error::ShapeMismatch);
  Tensor broken = test::indexed({1, 1, 4, 4});
  broken[0][0][1][2] = std::numeric_limits<double>::quiet_NaN();
  const auto solution = tv.solve(broken, 0.1);
  CHECK_FALSE(solution.converged);
  CHECK(std::isnan(solution.relative_gap));
}
