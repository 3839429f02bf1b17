// SPDX-License-Identifier: BSD-3-Clause
#include "catch.hpp"
#include "tensors.hpp"
#include "tessera/core/error.hpp"
#include "tessera/prior/wavelet_prior.hpp"

using namespace tessera;

TEST_CASE("The value of a wavelet prior is the weighted sum of its details' magnitudes") {
  // PyWavelets: all coefficients of db2 on two levels, less the approximation.
  const WaveletPrior prior(0.3, {.order = 2, .levels = 2});
  CHECK(prior.value(test::indexed({1, 1, 8, 12})).value() ==
        Approx(0.3 * (47.96798259359725 - 2.8883858832929685)).epsilon(1e-12));
}

TEST_CASE("The proximal operator of a wavelet prior minimises") {
  const WaveletPrior prior(0.3, {.order = 3, .levels = 1});
  const Tensor z = test::indexed({2, 2, 8, 4});
  constexpr double step = 0.7;
  const Tensor u = prior.prox(z, step);
  const auto objective = [&](const Tensor& v) {
    return step * prior.value(v).value() + 0.5 * (v - z).square().sum().item<double>();
  };
  const double least = objective(u);
  CHECK(least < objective(z));
  for (const double size : {1e-3, 1e-1}) {
    for (int i = 0; i < 30; ++i) {
      CHECK(objective(u + size * test::indexed(z.sizes(), 0.7 * i)) > least);
      CHECK(objective(u - size * test::indexed(z.sizes(), 0.7 * i)) > least);
    }
  }
  SECTION("to the subgradient of each detail, exactly") {
    const Tensor detail = prior.transform().apply(u);
    const Tensor slope = prior.transform().apply(z - u) / (step * 0.3);
    CHECK(slope.abs().max().item<double>() < 1 + 1e-12);
    const Tensor miss = (slope - detail.sgn()) * detail.abs().gt(1e-12);
    prior.transform().approximation(miss).zero_();
    CHECK(miss.abs().max().item<double>() < 1e-11);
    CHECK(prior.transform().approximation(slope).abs().max().item<double>() < 1e-12);
    CHECK(detail.abs().lt(1e-12).sum().item<std::int64_t>() > 4);
  }
}
