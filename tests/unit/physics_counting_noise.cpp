// SPDX-License-Identifier: BSD-3-Clause
// Poisson noise, and salt and pepper: their distributions, and that draws depend on seed, stream
// and element alone.
#include <ATen/Parallel.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/linspace.h>
#include <ATen/ops/tensor.h>

#include <cmath>
#include <limits>

#include "catch.hpp"
#include "tessera/core/error.hpp"
#include "tessera/physics/poisson_noise.hpp"
#include "tessera/physics/salt_and_pepper_noise.hpp"

using namespace tessera;

namespace {

/// sum over k of (observed - expected)^2 / expected, where at least 8 are expected, and how many
/// such k there are.
std::pair<double, int> chi_squared(const Tensor& counts, double mean) {
  const auto n = static_cast<double>(counts.numel());
  double sum = 0;
  int cells = 0;
  for (int k = 0; k < 10 * mean + 40; ++k) {
    const double expected = n * std::exp(k * std::log(mean) - mean - std::lgamma(k + 1.0));
    if (expected < 8) continue;
    const double observed = (counts == k).sum().item<double>();
    sum += (observed - expected) * (observed - expected) / expected;
    ++cells;
  }
  return {sum, cells};
}

}  // namespace

TEST_CASE("Poisson noise has the Poisson distribution", "[physics]") {
  for (const double mean : {0.03, 0.8, 4.0, 9.99, 10.0, 23.5, 120.0, 1000.0}) {
    CAPTURE(mean);
    const PoissonNoise noise({.seed = 3});
    const Tensor counts = noise.add(at::full({400, 500}, mean, at::kDouble));
    const auto [sum, cells] = chi_squared(counts, mean);
    CAPTURE(sum, cells);
    CHECK(sum < cells + 5 * std::sqrt(2.0 * cells) + 3);
    CHECK(sum > cells - 5 * std::sqrt(2.0 * cells) - 3);
    CHECK(at::equal(counts, counts.round()));
  }
  // Means that no table of probabilities reaches.
  const Tensor large = PoissonNoise({.seed = 3}).add(at::full({100000}, 1e12, at::kDouble)) - 1e12;
  CHECK(std::abs(large.mean().item<double>()) < 5e6 / std::sqrt(1e5));
  CHECK(large.std().item<double>() == Approx(1e6).epsilon(0.02));
  CHECK(PoissonNoise({.seed = 3}).add(at::full({5}, 0.0, at::kFloat)).max().item<double>() == 0);
}

TEST_CASE("Poisson noise: gain, background and readout", "[physics]") {
  const Tensor clean = at::full({300, 400}, 0.6, at::kFloat);
  const PoissonNoise noise(
      {.gain = 0.05, .background = 0.2, .readout = 0.1, .seed = 8, .stream = 2});
  const Tensor noisy = noise.add(clean).to(at::kDouble);
  CHECK(noisy.mean().item<double>() == Approx(0.8).epsilon(0.005));
  CHECK(noisy.var().item<double>() == Approx(0.05 * 0.8 + 0.01).epsilon(0.03));
  const Tensor clamped = PoissonNoise({.gain = 0.05, .range = std::pair{0.0, 0.7}}).add(clean);
  CHECK(clamped.max().item<double>() == Approx(0.7));
  CHECK(clamped.scalar_type() == at::kFloat);
}

TEST_CASE("Draws depend on seed, stream and element alone", "[physics]") {
  const Tensor clean = at::linspace(0, 40, 5000, at::kDouble);
  const auto counted = [&](std::uint64_t seed, std::uint64_t stream, const Tensor& x) {
    return PoissonNoise({.seed = seed, .stream = stream}).add(x);
  };
  const Tensor noisy = counted(5, 1, clean);
  CHECK(at::equal(noisy, counted(5, 1, clean)));
  CHECK(at::equal(noisy.slice(0, 0, 3000), counted(5, 1, clean.slice(0, 0, 3000))));
  const Tensor floats = clean.to(at::kFloat);
  CHECK(at::equal(counted(5, 1, floats).to(at::kDouble), counted(5, 1, floats.to(at::kDouble))));
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  CHECK(at::equal(noisy, counted(5, 1, clean)));
  at::set_num_threads(threads);
  // Neighbouring seeds and streams share nothing: correlations of residuals are those of chance.
  const Tensor flat = at::full({20000}, 15.0, at::kDouble);
  const Tensor first = counted(42, 0, flat) - 15;
  for (const auto& [seed, stream] : {std::pair{43, 0}, std::pair{42, 1}, std::pair{43, 1}}) {
    const Tensor other =
        counted(static_cast<std::uint64_t>(seed), static_cast<std::uint64_t>(stream), flat) - 15;
    const double correlation = (first * other).mean().item<double>() / 15;
    CHECK(std::abs(correlation) < 5 / std::sqrt(20000.0));
  }
}

TEST_CASE("Salt and pepper", "[physics]") {
  const Tensor clean = at::full({300, 300}, 0.5, at::kFloat);
  const Tensor noisy =
      SaltAndPepperNoise({.fraction = 0.3, .low = -1, .high = 2, .seed = 4}).add(clean);
  const double n = 90000;
  const auto share = [&](double value) { return (noisy == value).sum().item<double>() / n; };
  CHECK(share(-1) == Approx(0.15).margin(0.006));
  CHECK(share(2) == Approx(0.15).margin(0.006));
  CHECK(share(0.5) == Approx(0.70).margin(0.008));
  CHECK(at::equal(SaltAndPepperNoise({.fraction = 0}).add(clean), clean));
  CHECK((SaltAndPepperNoise({.fraction = 1}).add(clean) == 0.5).sum().item<double>() == 0);
}

TEST_CASE("Counting noise refuses what cannot be", "[physics]") {
  const double nan = std::nan("");
  for (const double bad : {-1.0, std::numeric_limits<double>::infinity(), nan}) {
    CHECK_THROWS_AS(PoissonNoise({.gain = bad}), error::InvalidArgument);
    CHECK_THROWS_AS(PoissonNoise({.background = bad}), error::InvalidArgument);
    CHECK_THROWS_AS(PoissonNoise({.readout = bad}), error::InvalidArgument);
    CHECK_THROWS_AS(SaltAndPepperNoise({.fraction = bad}), error::InvalidArgument);
  }
  CHECK_THROWS_AS(PoissonNoise({.gain = 0}), error::InvalidArgument);
  CHECK_THROWS_AS(SaltAndPepperNoise({.fraction = 1.1}), error::InvalidArgument);
  CHECK_THROWS_AS(SaltAndPepperNoise({.high = nan}), error::InvalidArgument);
  const PoissonNoise noise({.background = 0.1});
  CHECK_THROWS_WITH(noise.add(at::tensor({0.5, -0.2}, at::kDouble)),
                    test::contains("reaches -0.1, expected 0 or more"));
  const Tensor rounded = at::tensor({0.5, -4e-6}, at::kDouble);  // of a Fourier transform
  CHECK(PoissonNoise({.gain = 1e-9}).add(rounded)[1].item<double>() == 0);
  CHECK_THROWS_AS(PoissonNoise({}).add(at::tensor({0.5, -6e-6}, at::kDouble)),
                  error::InvalidArgument);
  CHECK_THROWS_AS(noise.add(at::tensor({0.5, nan}, at::kDouble)), error::InvalidArgument);
  CHECK_THROWS_AS(noise.add(at::full({2}, 1, at::kLong)), error::ShapeMismatch);
}
