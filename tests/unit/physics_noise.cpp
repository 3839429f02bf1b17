// SPDX-License-Identifier: BSD-3-Clause
#include "tessera/physics/noise.hpp"

#include <ATen/ops/dot.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/imag.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/real.h>
#include <ATen/ops/view_as_real.h>
#include <ATen/ops/zeros.h>

#include <array>
#include <cmath>
#include <limits>
#include <numbers>

#include "adjoint.hpp"
#include "catch.hpp"
#include "tessera/core/error.hpp"
#include "tessera/fidelity/squared_distance.hpp"
#include "tessera/physics/detail/normal_draws.hpp"
#include "tessera/physics/detail/philox.hpp"
#include "tessera/physics/masking.hpp"
#include "tessera/physics/stacked.hpp"
#include "threads.hpp"

using tessera::Box;
using tessera::ElementNumbers;
using tessera::Extents;
using tessera::GaussianNoise;
using tessera::LinearPhysicsPtr;
using tessera::Masking;
using tessera::part_of;
using tessera::SquaredDistance;
using tessera::StackedPhysics;
using tessera::Tensor;
using tessera::TensorList;
using tessera::whole_box;

namespace {

using Words = std::array<std::uint32_t, 4>;

/// Philox4x32-10 of one counter.
Words philox(Words counter, std::array<std::uint32_t, 2> key) {
  std::array<std::array<std::uint32_t, 1>, 4> words;
  for (std::size_t w = 0; w < 4; ++w) words[w][0] = counter[w];
  tessera::detail::philox4x32(words, key);
  return {words[0][0], words[1][0], words[2][0], words[3][0]};
}

std::vector<double> normal(std::uint64_t seed, std::uint64_t stream, std::uint64_t first,
                           std::size_t count) {
  std::vector<double> draws(count);
  tessera::detail::fill_normal(std::span<double>(draws), seed, stream, first);
  return draws;
}

/// Of the noise of two seeds and streams.
double correlation(const GaussianNoise& a, const GaussianNoise& b) {
  const Tensor zero = at::zeros({1, 1, 300, 300}, at::kDouble);
  const Tensor x = a.add(zero).flatten();
  const Tensor y = b.add(zero).flatten();
  return (at::dot(x, y) / (x.norm() * y.norm())).item<double>();
}

LinearPhysicsPtr noisy_identity(std::uint64_t stream) {
  auto identity =
      std::make_shared<Masking>(at::ones({1, 1, 1, 1}, at::kDouble).expand({1, 1, 40, 50}));
  identity->set_noise(std::make_shared<GaussianNoise>(0.1, 42, std::nullopt, stream));
  return identity;
}

}  // namespace

TEST_CASE("Philox4x32-10 has its published values", "[physics]") {
  constexpr std::uint32_t ones = 0xffffffff;
  CHECK(philox({0, 0, 0, 0}, {0, 0}) == Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  CHECK(philox({ones, ones, ones, ones}, {ones, ones}) ==
        Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
        Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("A normal draw is the Box-Muller value of its seed, stream and number", "[physics]") {
  const std::uint64_t seed = 0xfedcba9876543210;
  const std::uint64_t stream = 0x123456789abcdef0;
  for (const std::uint64_t first : {std::uint64_t{0}, std::uint64_t{1} << 40}) {
    const std::vector<double> draws = normal(seed, stream, first, 20000);
    double worst = 0;
    for (std::uint64_t k = 0; k < draws.size() / 2; ++k) {
      const std::uint64_t pair = first / 2 + k;
      const Words w = philox({static_cast<std::uint32_t>(pair),
                              static_cast<std::uint32_t>(pair >> 32), 0x9abcdef0, 0x12345678},
                             {0x76543210, 0xfedcba98});
      const auto uniform = [](std::uint32_t low, std::uint32_t high) {
        return std::ldexp(static_cast<double>((std::uint64_t{high} << 32 | low) >> 12), -52);
      };
      const double radius = std::sqrt(-2 * std::log(1 - uniform(w[0], w[1])));
      const double angle = 2 * std::numbers::pi * uniform(w[2], w[3]);
      worst = std::max({worst, std::abs(draws[2 * k] - radius * std::cos(angle)),
                        std::abs(draws[2 * k + 1] - radius * std::sin(angle))});
    }
    CHECK(worst < 1e-14);
  }
}

TEST_CASE("Normal draws do not depend on how a tensor is cut", "[physics]") {
  const std::vector<double> whole = normal(7, 3, 0, 1000);
  for (const std::size_t first : {0, 1, 2, 63, 127, 128, 129, 511}) {
    for (const std::size_t count : {1, 2, 127, 128, 129, 400}) {
      const std::vector<double> part = normal(7, 3, first, count);
      CAPTURE(first, count);
      CHECK(std::equal(part.begin(), part.end(), whole.begin() + static_cast<long>(first)));
    }
  }
}

TEST_CASE("The noise of a part is the part of the noise, complex numbers too", "[physics]") {
  const Extents extents = {5, 7, 6};
  const Box box{{{1, 4}, {2, 7}, {3, 4}}};
  const GaussianNoise noise(0.5, 7, std::nullopt, 3);
  for (const at::ScalarType type : {at::kFloat, at::kDouble, at::kComplexDouble}) {
    const Tensor whole = at::zeros({2, 3, 5, 7, 6}, type);
    const Tensor part = part_of(whole, whole_box(extents), box).contiguous();
    const ElementNumbers numbers(part.sizes(), box, extents);
    CHECK(at::equal(noise.add(part, numbers), part_of(noise.add(whole), whole_box(extents), box)));
    CHECK_THROWS_WITH(noise.add(whole, numbers), test::contains("expected 90 elements"));
  }
  CHECK(noise.add(at::zeros({0, 1, 2, 2})).numel() == 0);
  CHECK_THROWS_WITH(ElementNumbers({1, 1, 3, 3}, Box{{{3, 6}, {0, 3}}}, {5, 5}),
                    test::contains("a part of shape [1, 1, 3, 3] at [3, 6) x [0, 3)"));
}

TEST_CASE("Normal draws are distributed as they should be", "[physics]") {
  constexpr std::size_t count = 1 << 20;
  const std::vector<double> draws = normal(42, 0, 0, count);
  std::array<double, 5> moments{};
  std::array<double, 4> below{};  // -1, 0, 1, 3
  double neighbours = 0;
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t m = 1; m < 5; ++m) moments[m] += std::pow(draws[i], static_cast<double>(m));
    const std::array<double, 4> limits = {-1, 0, 1, 3};
    for (std::size_t l = 0; l < 4; ++l) below[l] += draws[i] < limits[l] ? 1 : 0;
    if (i > 0) neighbours += draws[i] * draws[i - 1];
  }
  const double n = static_cast<double>(count);
  const double bound = 5 / std::sqrt(n);  // five standard deviations of a mean of unit variance
  CHECK(std::abs(moments[1] / n) < bound);
  CHECK(std::abs(moments[2] / n - 1) < bound * std::sqrt(2.0));
  CHECK(std::abs(moments[3] / n) < bound * std::sqrt(15.0));
  CHECK(std::abs(moments[4] / n - 3) < bound * std::sqrt(96.0));
  CHECK(std::abs(neighbours / n) < bound);
  CHECK(std::abs(below[0] / n - 0.15865525) < bound * 0.37);
  CHECK(std::abs(below[1] / n - 0.5) < bound * 0.5);
  CHECK(std::abs(below[2] / n - 0.84134475) < bound * 0.37);
  CHECK(std::abs(below[3] / n - 0.99865010) < bound * 0.04);
}

TEST_CASE("Seeds and streams of noise are independent, in all their bits", "[physics]") {
  const GaussianNoise noise(1, 42);
  CHECK(correlation(noise, GaussianNoise(1, 42)) == Approx(1));
  for (int bit = 0; bit < 64; bit += 7) {
    CAPTURE(bit);
    const std::uint64_t flipped = std::uint64_t{1} << bit;
    CHECK(std::abs(correlation(noise, GaussianNoise(1, 42 ^ flipped))) < 5.0 / 300);
    CHECK(std::abs(correlation(noise, GaussianNoise(1, 42, std::nullopt, flipped))) < 5.0 / 300);
  }
  // Operator 1 of a seed and operator 0 of the next.
  CHECK(std::abs(correlation(GaussianNoise(1, 42, std::nullopt, 1), GaussianNoise(1, 43))) <
        5.0 / 300);
}

TEST_CASE("Noise is the same in every dtype and on every number of threads", "[physics]") {
  const Tensor zero = at::zeros({1, 1, 300, 301}, at::kDouble);
  const auto on_threads = [&](int count) {
    const test::Threads threads(count);
    return GaussianNoise(1, 9).add(zero);
  };
  const Tensor alone = on_threads(1);
  CHECK(on_threads(3).equal(alone));
  CHECK(GaussianNoise(1, 9).add(zero.to(at::kFloat)).equal(alone.to(at::kFloat)));
  CHECK(test::relative_error(GaussianNoise(1, 9).add(zero.to(at::kHalf)), alone) < 1e-3);
  // A view is numbered as it is seen.
  CHECK(GaussianNoise(1, 9).add(zero.transpose(2, 3).contiguous().transpose(2, 3)).equal(alone));
}

TEST_CASE("GaussianNoise of complex data has its standard deviation in each part", "[physics]") {
  const Tensor zero = at::zeros({1, 1, 300, 301}, at::kComplexDouble);
  const Tensor noise = GaussianNoise(2, 9).add(zero);
  // 90300 draws: the mean square's own deviation is 4 sqrt(2 / n) = 0.019.
  CHECK(std::abs(at::real(noise).square().mean().item<double>() - 4) < 0.1);
  CHECK(std::abs(at::imag(noise).square().mean().item<double>() - 4) < 0.1);
  CHECK(std::abs((at::real(noise) * at::imag(noise)).mean().item<double>()) < 0.07);
  // Its distance with the same sigma is chi-squared of the real numbers: half for each.
  const double value = SquaredDistance(2).value(noise, zero);
  CHECK(value / static_cast<double>(noise.numel()) == Approx(1).epsilon(0.02));
  const Tensor single = GaussianNoise(2, 9).add(zero.to(at::kComplexFloat));
  CHECK(test::relative_error(at::view_as_real(single), at::view_as_real(noise)) < 1e-6);
}

TEST_CASE("GaussianNoise has the standard deviation it is given", "[physics]") {
  for (const auto type : {at::kFloat, at::kDouble}) {
    const Tensor clean = at::full({1, 3, 200, 300}, 0.25, type);
    const Tensor noise = GaussianNoise(0.1, 42).add(clean) - clean;
    // 180000 draws: the estimates' own standard deviations are 0.1 / sqrt(n) and 0.1 / sqrt(2 n).
    CHECK(std::abs(noise.mean().item<double>()) < 5 * 0.1 / std::sqrt(180000.0));
    CHECK(std::abs(noise.std().item<double>() - 0.1) < 5 * 0.1 / std::sqrt(360000.0));
    CHECK(noise.scalar_type() == type);
  }
}

TEST_CASE("GaussianNoise is repeatable and depends on its seed alone", "[physics]") {
  const Tensor clean = test::random({1, 1, 8, 9}, 1);
  const GaussianNoise noise(0.1, 42);
  const Tensor noisy = noise.add(clean);
  CHECK(noise.add(clean).equal(noisy));
  CHECK(GaussianNoise(0.1, 42).add(clean).equal(noisy));
  CHECK_FALSE(GaussianNoise(0.1, 43).add(clean).equal(noisy));
  CHECK(GaussianNoise(0, 42).add(clean).equal(clean));
}

TEST_CASE("GaussianNoise clamps to its range", "[physics]") {
  const Tensor clean = at::full({1, 1, 100, 100}, 0.9, at::kDouble);
  const Tensor free = GaussianNoise(0.2, 7).add(clean);
  const Tensor clamped = GaussianNoise(0.2, 7, std::pair{0.0, 1.0}).add(clean);
  CHECK(free.max().item<double>() > 1);
  CHECK(clamped.equal(free.clamp(0, 1)));
}

TEST_CASE("The noise of an operator does not depend on the others", "[physics]") {
  const Tensor x = test::random({1, 1, 40, 50}, 1);
  const StackedPhysics many(
      4, [](std::int64_t i) { return noisy_identity(static_cast<std::uint64_t>(i)); });
  const StackedPhysics two({noisy_identity(1), noisy_identity(3)});
  const TensorList y = many.measure(x);
  CHECK(many.measure(x)[2].equal(y[2]));
  CHECK(two.measure(x)[0].equal(y[1]));
  CHECK(two.measure(x)[1].equal(y[3]));
  CHECK_FALSE(y[0].equal(y[1]));
  CHECK(many.forward(x)[0].equal(x));
}

TEST_CASE("GaussianNoise refuses what it cannot draw", "[physics]") {
  using tessera::error::InvalidArgument;
  CHECK_THROWS_AS(GaussianNoise(-0.1, 1), InvalidArgument);
  CHECK_THROWS_AS(GaussianNoise(std::nan(""), 1), InvalidArgument);
  constexpr double infinity = std::numeric_limits<double>::infinity();
  CHECK_THROWS_AS(GaussianNoise(infinity, 1), InvalidArgument);
  CHECK_THROWS_AS(GaussianNoise(0.1, 1, std::pair{1.0, 0.0}), InvalidArgument);
  CHECK_THROWS_AS(GaussianNoise(0.1, 1, std::pair{std::nan(""), 1.0}), InvalidArgument);
  CHECK_THROWS_AS(GaussianNoise(0.1, 1, std::pair{infinity, infinity}), InvalidArgument);
  const Tensor complex = at::zeros({1, 1, 2, 2}, at::kComplexDouble);
  CHECK_THROWS_AS(GaussianNoise(0.1, 1, std::pair{0.0, 1.0}).add(complex), InvalidArgument);
  CHECK_THROWS_AS(GaussianNoise(0.1, 1).add(at::zeros({1, 1, 2, 2}, at::kLong)), InvalidArgument);
}
