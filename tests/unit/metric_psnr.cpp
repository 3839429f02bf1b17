// SPDX-License-Identifier: BSD-3-Clause
#include "tessera/metric/psnr.hpp"

#include <ATen/ops/linspace.h>

#include <cmath>
#include <limits>

#include "catch.hpp"
#include "tensors.hpp"
#include "tessera/core/error.hpp"

using test::Tensor;

TEST_CASE("mse and psnr: reference numbers, per image") {
  const Tensor a = 0.5 + 0.4 * test::indexed({2, 3, 17, 14});
  const Tensor b = a + 0.1 * test::indexed({2, 3, 17, 14}, 2.0) *
                           at::linspace(0, 1, a.numel(), at::kDouble).view(a.sizes());
  const Tensor errors = tessera::mse(a, b);
  REQUIRE(errors.sizes() == at::IntArrayRef({2}));
  CHECK(errors[0].item<double>() == Approx(0.00041746682895061845).epsilon(1e-12));
  CHECK(errors[1].item<double>() == Approx(0.0029224620824437214).epsilon(1e-12));
  const Tensor ratios = tessera::psnr(a, b);
  CHECK(ratios[0].item<double>() == Approx(33.79378026949303).epsilon(1e-12));
  CHECK(ratios[1].item<double>() == Approx(25.342511148940215).epsilon(1e-12));
  CHECK(tessera::psnr(a, b, 255)[0].item<double>() ==
        Approx(33.79378026949303 + 20 * std::log10(255.0)));
  CHECK(tessera::psnr(a.to(at::kFloat), b.to(at::kFloat))[0].item<double>() ==
        Approx(33.79378).epsilon(1e-5));
}

TEST_CASE("mse and psnr: volumes, equal images, errors") {
  const Tensor a = test::indexed({1, 1, 3, 4, 5});
  CHECK(tessera::mse(a, a + 0.5)[0].item<double>() == Approx(0.25));
  CHECK(std::isinf(tessera::psnr(a, a)[0].item<double>()));
  CHECK_THROWS_WITH(tessera::psnr(a, test::indexed({1, 1, 3, 5, 4})),
                    test::contains("mse: reference is [1, 1, 3, 5, 4]") &&
                        test::contains("expected [1, 1, 3, 4, 5]"));
  CHECK_THROWS_AS(tessera::mse(a, a.to(at::kFloat)), tessera::error::ShapeMismatch);
  CHECK_THROWS_AS(tessera::psnr(a, a, 0), tessera::error::InvalidArgument);
}

TEST_CASE("mse: half precisions are compared in float32") {
  const Tensor a = 100 * test::indexed({1, 1, 16, 16});  // squares beyond half's 65504
  for (const auto& [type, step] : {std::pair{at::kHalf, 300.0}, std::pair{at::kBFloat16, 0.5}}) {
    const Tensor x = a.to(type);
    const Tensor y = (a + step).to(type);
    const Tensor expected = tessera::mse(x.to(at::kDouble), y.to(at::kDouble));
    CHECK(test::relative_error(tessera::mse(x, y), expected) < 1e-6);
  }
  CHECK_THROWS_AS(tessera::psnr(a, a, std::numeric_limits<double>::infinity()),
                  tessera::error::InvalidArgument);
}
