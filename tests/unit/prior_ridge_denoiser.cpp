// SPDX-License-Identifier: BSD-3-Clause
#include <ATen/ops/tensor.h>

#include "catch.hpp"
#include "ridge_weights.hpp"
#include "tensors.hpp"
#include "tessera/core/error.hpp"
#include "tessera/prior/ridge_denoiser.hpp"

using namespace tessera;

namespace {

const StateDict weights = test::ridge_weights({3, 3}, 3, test::weakly_convex_knots);
constexpr RidgeOptions exact{.tolerance = 1e-12};

}  // namespace

TEST_CASE("A ridge denoiser is the proximal operator of its prior at the level") {
  const RidgeDenoiser denoiser(weights, exact);
  const Tensor x = test::indexed({2, 3, 8, 9});
  const Tensor u = denoiser.denoise(x, 0.3);
  CHECK(test::relative_error(u + RidgePrior(weights, 0.3).gradient(u), x) < 1e-11);
  CHECK(test::relative_error(u, x) > 1e-3);
  CHECK(denoiser.denoise(x, 0).equal(x));
  SECTION("for levels per image as for each of them") {
    const Tensor both = denoiser.denoise(x, at::tensor({0.3, 0.1}, at::kDouble));
    CHECK(both.narrow(0, 0, 1).equal(u.narrow(0, 0, 1)));
    CHECK(both.narrow(0, 1, 1).equal(denoiser.denoise(x.narrow(0, 1, 1), 0.1)));
  }
  SECTION("in the image's dtype") {
    CHECK(test::relative_error(RidgeDenoiser(weights).denoise(x.to(at::kFloat), 0.3), u) < 1e-4);
    CHECK(test::relative_error(RidgeDenoiser(weights).denoise(x.to(at::kBFloat16), 0.3), u) < 1e-2);
  }
}

TEST_CASE("A ridge denoiser contracts: it is the proximal operator of a function nearly convex") {
  const RidgeDenoiser denoiser(weights, exact);
  const double most = 1 / (1 - denoiser.prior().weak_convexity());
  const Tensor x = test::indexed({1, 1, 8, 9});
  for (int i = 1; i < 5; ++i) {
    const Tensor d = 0.1 * i * test::indexed({1, 1, 8, 9}, i);
    CHECK((denoiser.denoise(x + d, 0.3) - denoiser.denoise(x, 0.3)).norm().item<double>() <=
          most * d.norm().item<double>() * (1 + 1e-9));
  }
}

TEST_CASE("A ridge denoiser repeats the border of images smaller than its filters") {
  const RidgeDenoiser denoiser(weights, exact);
  const Tensor narrow = test::indexed({1, 1, 2, 5});
  const Tensor wide = at::cat({narrow, narrow.narrow(2, 1, 1)}, 2);
  CHECK(denoiser.denoise(narrow, 0.3).equal(denoiser.denoise(wide, 0.3).narrow(2, 0, 2)));
}

TEST_CASE("A ridge denoiser says what it does not take") {
  const RidgeDenoiser denoiser(weights);
  const Tensor x = test::indexed({1, 1, 8, 9});
  CHECK_THROWS_WITH(denoiser.denoise(x, x.abs()), test::contains("the level is a map"));
  CHECK_THROWS_WITH(denoiser.denoise(test::indexed({1, 1, 9}), 0.1),
                    test::contains("expected 2 spatial dimensions"));
  StateDict steep = weights;
  steep["spline.values"] = at::tensor({1e3, 0.}, at::kDouble);
  CHECK_THROWS_WITH(RidgeDenoiser(steep), test::contains("expected less than 1"));
}
