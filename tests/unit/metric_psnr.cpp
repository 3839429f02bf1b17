#include "tessera/metric/psnr.hpp"

#include <ATen/ops/linspace.h>

#include <cmath>

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
