// SPDX-License-Identifier: BSD-3-Clause
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>

#include "adjoint.hpp"
#include "catch.hpp"
#include "tessera/core/error.hpp"
#include "tessera/physics/downsampling.hpp"
#include "tessera/physics/gaussian_kernel.hpp"
#include "tessera/physics/masking.hpp"

using tessera::BlurOptions;
using tessera::Downsampling;
using tessera::Masking;
using tessera::Padding;
using tessera::Tensor;
using tessera::error::ShapeMismatch;

TEST_CASE("Masking multiplies pixel by pixel and is its own adjoint", "[physics]") {
  const Tensor x = test::random({2, 3, 7, 9}, 1);
  for (const auto& shape : {std::vector<std::int64_t>{1, 1, 7, 9}, {2, 1, 7, 9}, {2, 3, 7, 9}}) {
    const Tensor mask = test::random(shape, 2);
    const Masking physics(mask);
    CHECK(physics.apply(x).equal(x * mask));
    CHECK(test::adjoint_error(physics, x) < 1e-15);
    CHECK(physics.norm_squared(x) >= mask.square().max().item<double>());
  }
  const Masking holes(test::random({1, 1, 7, 9}, 3) > 0);
  CHECK(holes.apply(holes.apply(x)).equal(holes.apply(x)));
  CHECK_FALSE(holes.apply(x).equal(x));
}

TEST_CASE("Masking says what does not fit", "[physics]") {
  const Masking physics(at::ones({1, 3, 7, 9}, at::kDouble));
  CHECK_THROWS_WITH(physics.apply(test::random({1, 1, 7, 9}, 1)),
                    test::contains("masking.forward"));
  CHECK_THROWS_AS(physics.apply(test::random({1, 3, 7, 1}, 1)), ShapeMismatch);
  CHECK_THROWS_AS(Masking(at::ones({7, 9}, at::kDouble)), ShapeMismatch);
  CHECK_THROWS_AS(Masking(at::ones({1, 1, 7, 9}, at::kLong)), ShapeMismatch);
}

TEST_CASE("Downsampling blurs, then keeps every factor-th pixel", "[physics]") {
  const Tensor kernel = tessera::gaussian_kernel(0.8, 1.2, 30);
  for (const Padding padding :
       {Padding::circular, Padding::reflect, Padding::replicate, Padding::constant}) {
    const Downsampling physics(3, kernel, BlurOptions{padding, {}});
    const Tensor x = test::random({1, 2, 12, 15}, 1);
    const Tensor y = physics.apply(x);
    REQUIRE(y.sizes() == at::IntArrayRef({1, 2, 4, 5}));
    const Tensor blurred = physics.blur().apply(x);
    CHECK(y[0][1][2][3].item<double>() == blurred[0][1][6][9].item<double>());
    CHECK(y[0][0][0][0].item<double>() == blurred[0][0][0][0].item<double>());
    CHECK(test::adjoint_error(physics, x) < 1e-14);
  }
  const Downsampling valid(2, at::ones({1, 1, 3, 2}, at::kDouble), BlurOptions{Padding::valid, {}});
  CHECK(test::adjoint_error(valid, at::zeros({1, 2, 10, 9}, at::kDouble)) < 1e-14);
  CHECK(test::adjoint_error(Downsampling(2, at::ones({1, 1, 3, 3, 3}, at::kDouble)),
                            at::zeros({1, 1, 4, 6, 8}, at::kDouble)) < 1e-14);
}

TEST_CASE("Downsampling says what does not fit", "[physics]") {
  const Tensor kernel = tessera::gaussian_kernel(1, 1);
  CHECK_THROWS_AS(Downsampling(0, kernel), tessera::error::InvalidArgument);
  CHECK_THROWS_WITH(Downsampling(2, kernel).apply(test::random({1, 1, 11, 12}, 1)),
                    test::contains("multiples of 2"));
}
