// SPDX-License-Identifier: BSD-3-Clause
#include "tessera/metric/whiteness.hpp"

#include <ATen/ops/allclose.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>

#include "catch.hpp"
#include "tessera/core/error.hpp"
#include "tessera/physics/blur.hpp"
#include "tessera/physics/gaussian_kernel.hpp"
#include "tessera/physics/noise.hpp"

using namespace tessera;

TEST_CASE("The autocorrelation is that of its definition", "[metric]") {
  // Less its mean, 1: 1, 2, -3, 0. R(0) = 14, R(1) = 2 - 6 + 0 + 0, R(2) = -3 + 0 - 3 + 0.
  const Tensor residual = at::tensor({2.0, 3.0, -2.0, 1.0}, at::kDouble).view({1, 1, 4});
  const Tensor expected = at::tensor({14.0, -4.0, -6.0, -4.0}, at::kDouble).view({1, 4}) / 14;
  CHECK(at::allclose(autocorrelation(residual), expected));
  CHECK(autocorrelation_energy(7 * residual).item<double>() ==
        Approx((16.0 + 36 + 16) / (14 * 14)));
  // Channels are summed: one that has twice the amplitude counts four times.
  const Tensor both = at::cat({residual, 2 * residual.flip(2)}, 1);
  CHECK(at::allclose(autocorrelation(both), expected));
}

TEST_CASE("The energy is small for white noise alone", "[metric]") {
  const Tensor noise = GaussianNoise(0.1, 5).add(at::zeros({2, 1, 40, 50}, at::kDouble));
  const Tensor volume = GaussianNoise(0.1, 5).add(at::zeros({1, 3, 9, 14, 15}, at::kDouble));
  CHECK(autocorrelation_energy(noise)[0].item<double>() == Approx(1).margin(0.1));
  CHECK(autocorrelation_energy(noise + 3)[1].item<double>() == Approx(1).margin(0.1));
  CHECK(autocorrelation_energy(volume).item<double>() == Approx(1.0 / 3).margin(0.05));
  // Of a filter h with spectrum H: the sum of |H|^4 over (the sum of |H|^2)^2, times the pixels.
  const Blur blur(gaussian_kernel(1.0, 1.0), Padding::circular);
  CHECK(autocorrelation_energy(blur.forward(noise).front())[0].item<double>() > 5);
  CHECK(autocorrelation_energy(at::full({1, 1, 4, 4}, 2.5)).item<double>() == 0);
  CHECK_THROWS_AS(autocorrelation_energy(at::zeros({4, 4})), error::ShapeMismatch);
}

TEST_CASE("What a mask hides says nothing of whiteness", "[metric]") {
  const Tensor noise = GaussianNoise(0.1, 5).add(at::zeros({1, 2, 40, 50}, at::kDouble));
  const Tensor grain = GaussianNoise(1, 6).add(at::zeros({1, 1, 40, 50}, at::kDouble));
  for (const double threshold : {-0.5, 0.0, 1.0}) {  // shows 69, 50 and 16 % of the pixels
    const Tensor mask = grain > threshold;
    const Tensor hidden = at::where(mask, noise + 3, 0.0);
    CAPTURE(threshold);
    CHECK(autocorrelation_energy(hidden, mask).item<double>() == Approx(0.5).margin(0.06));
    CHECK(autocorrelation_energy(at::where(mask, noise, 1e3), mask).item<double>() ==
          Approx(autocorrelation_energy(hidden, mask).item<double>()));
    const Blur blur(gaussian_kernel(1.0, 1.0), Padding::circular);
    CHECK(autocorrelation_energy(blur.apply(noise), mask).item<double>() > 0.65);
  }
  // Blocks that are hidden leave lags with many pairs and with few.
  Tensor half = at::zeros({1, 1, 40, 50}, at::kDouble);
  half.narrow(2, 5, 18).fill_(1);
  CHECK(autocorrelation_energy(noise * half, half).item<double>() == Approx(0.5).margin(0.06));
  const Tensor all = at::full({1, 1, 1, 1}, 1.0);
  CHECK(autocorrelation_energy(noise, all).item<double>() ==
        Approx(autocorrelation_energy(noise).item<double>()));
  CHECK(autocorrelation_energy(noise, 0 * half).item<double>() == 0);
}
