// SPDX-License-Identifier: BSD-3-Clause
#include <limits>

#include <cmath>
#include "catch.hpp"
#include "physics_golden.hpp"

#include "tensors.hpp"
#include "tessera/core/error.hpp"
#include "tessera/physics/gaussian_kernel.hpp"

using tessera::gaussian_kernel;
using tessera::Tensor;

TEST_CASE("gaussian_kernel reproduces the reference kernels", "[physics]") {
  for (const auto& reference : test::golden::kernels) {
    const Tensor kernel =
        gaussian_kernel(reference.sigma_h, reference.sigma_w, reference.angle_degrees);
    CHECK(kernel.sizes() == at::IntArrayRef({1, 1, reference.side, reference.side}));
    CHECK(test::golden::deviation(kernel, reference.brief) < 1e-13);
    const std::int64_t n = kernel.numel();
    const std::array<std::int64_t, 5> places = {0, 1, n / 3, n / 2, n - 1};
    for (std::size_t i = 0; i < places.size(); ++i) {
      const double value = kernel.flatten()[places[i]].item<double>();
      CHECK(value == Approx(reference.brief.elements[i]).epsilon(1e-10).margin(0));
    }
  }
}

TEST_CASE("gaussian_kernel turns from rows towards columns as documented", "[physics]") {
  const Tensor kernel = gaussian_kernel(2, 1, 30)[0][0];
  const std::int64_t c = kernel.size(0) / 2;
  const double centre = kernel[c][c].item<double>();
  CHECK(kernel[c + 1][c + 1].item<double>() / centre == Approx(0.74064).epsilon(1e-4));
  CHECK(kernel[c + 1][c - 1].item<double>() / centre == Approx(0.38683).epsilon(1e-4));
  CHECK(test::relative_error(gaussian_kernel(2, 1, 90), gaussian_kernel(1, 2, 0)) < 1e-14);
}

TEST_CASE("gaussian_kernel has the reference's side for every sigma", "[physics]") {
  const std::vector<std::pair<double, std::int64_t>> sides = {
      {1, 9},    {1.5, 13},  {2, 15},     {2.5, 19},    {3, 23},
      {3.5, 25}, {5.12, 37}, {10.24, 71}, {20.48, 139}, {40.96, 275}};
  for (const auto& [sigma, side] : sides)
    CHECK(gaussian_kernel(sigma, sigma / 2, 10).size(3) == side);
}

TEST_CASE("gaussian_kernel in one and three dimensions", "[physics]") {
  const Tensor volume = gaussian_kernel({1.0, 2.0, 0.5});
  CHECK(volume.sizes() == at::IntArrayRef({1, 1, 15, 15, 15}));
  CHECK(volume.sum().item<double>() == Approx(1).epsilon(1e-13));
  // exp(-Y^2/2) along depth, exp(-Y^2/8) along rows, exp(-2 Y^2) along columns
  const double centre = volume[0][0][7][7][7].item<double>();
  CHECK(volume[0][0][8][7][7].item<double>() / centre == Approx(std::exp(-0.5)));
  CHECK(volume[0][0][7][8][7].item<double>() / centre == Approx(std::exp(-0.125)));
  CHECK(volume[0][0][7][7][8].item<double>() / centre == Approx(std::exp(-2.0)));
  CHECK(test::relative_error(gaussian_kernel({1.5, 3.0}), gaussian_kernel(1.5, 3.0)) < 1e-14);
  CHECK(gaussian_kernel({2.0}, at::kFloat).sizes() == at::IntArrayRef({1, 1, 15}));
  CHECK(gaussian_kernel({2.0}, at::kFloat).scalar_type() == at::kFloat);
}

TEST_CASE("gaussian_kernel refuses what is not a width", "[physics]") {
  using tessera::error::InvalidArgument;
  CHECK_THROWS_AS(gaussian_kernel(0, 1), InvalidArgument);
  CHECK_THROWS_AS(gaussian_kernel(1, -1), InvalidArgument);
  CHECK_THROWS_AS(gaussian_kernel(std::numeric_limits<double>::infinity(), 1), InvalidArgument);
  CHECK_THROWS_AS(gaussian_kernel(1, 1, std::numeric_limits<double>::quiet_NaN()), InvalidArgument);
  CHECK_THROWS_AS(gaussian_kernel(std::vector<double>{}), InvalidArgument);
  CHECK_THROWS_AS(gaussian_kernel({1.0, 1.0, 1.0, 1.0}), InvalidArgument);
}
