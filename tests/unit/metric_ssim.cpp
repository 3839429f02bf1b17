#include "tessera/metric/ssim.hpp"

#include <ATen/ops/linspace.h>

#include "catch.hpp"
#include "tensors.hpp"
#include "tessera/core/error.hpp"

using test::Tensor;

namespace {

/// An image and a version of it that gets worse towards its end.
std::pair<Tensor, Tensor> pair(at::IntArrayRef shape) {
  const Tensor a = 0.5 + 0.4 * test::indexed(shape);
  return {a, a + 0.1 * test::indexed(shape, 2.0) *
                     at::linspace(0, 1, a.numel(), at::kDouble).view(shape)};
}

}  // namespace

TEST_CASE("ssim: reference numbers, per image, in two and three dimensions") {
  const auto [a, b] = pair({2, 3, 17, 14});
  const Tensor index = tessera::ssim(a, b);
  REQUIRE(index.sizes() == at::IntArrayRef({2}));
  CHECK(index[0].item<double>() == Approx(0.99727546526174).epsilon(1e-12));
  CHECK(index[1].item<double>() == Approx(0.9803627894347469).epsilon(1e-12));
  CHECK(tessera::ssim(a.narrow(0, 1, 1), b.narrow(0, 1, 1)).item<double>() ==
        Approx(0.9803627894347469).epsilon(1e-12));
  CHECK(tessera::ssim(b, a)[1].item<double>() == Approx(0.9803627894347469).epsilon(1e-12));
  tessera::SsimOptions options;
  options.range = 2;
  options.sigma = 0.8;
  CHECK(tessera::ssim(a, b, options)[0].item<double>() == Approx(0.996741539482047).epsilon(1e-12));
  CHECK(tessera::ssim(a, b, options)[1].item<double>() ==
        Approx(0.9765810036862872).epsilon(1e-12));
  CHECK(tessera::ssim(a.to(at::kFloat), b.to(at::kFloat))[1].item<double>() ==
        Approx(0.98036279).epsilon(1e-4));

  const auto [volume, worse] = pair({1, 2, 9, 8, 11});
  CHECK(tessera::ssim(volume, worse).item<double>() == Approx(0.9890658650041294).epsilon(1e-12));
}

TEST_CASE("ssim: 1 for equal images; sizes and options that cannot work are refused") {
  const auto [a, b] = pair({1, 1, 6, 7});
  CHECK(tessera::ssim(a, a).item<double>() == Approx(1).epsilon(1e-12));
  CHECK(tessera::ssim(a, b).item<double>() < 1);
  const Tensor narrow = test::indexed({1, 1, 5, 20});
  CHECK_THROWS_WITH(tessera::ssim(narrow, narrow), test::contains("more than 5 pixels"));
  const Tensor line = test::indexed({1, 1, 20});
  CHECK_THROWS_AS(tessera::ssim(line, line), tessera::error::ShapeMismatch);
  CHECK_THROWS_AS(tessera::ssim(a, narrow), tessera::error::ShapeMismatch);
  tessera::SsimOptions options;
  options.sigma = 0;
  CHECK_THROWS_AS(tessera::ssim(a, b, options), tessera::error::InvalidArgument);
}
