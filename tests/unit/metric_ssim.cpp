#include "tessera/metric/ssim.hpp"

#include <ATen/Parallel.h>
#include <ATen/ops/linspace.h>

#include <vector>

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

TEST_CASE(
    "ssim: one pass on the host gives what tensor operations give, on any number of threads") {
  // Sizes that fill neither the strips nor the blocks of the pass; a gradient asks for operations.
  for (const std::vector<std::int64_t>& shape :
       {std::vector<std::int64_t>{2, 3, 70, 45}, {1, 1, 6, 100}, {1, 2, 64, 6}, {1, 1, 33, 16}}) {
    const auto [a, b] = pair(shape);
    const Tensor watched = b.clone().requires_grad_(true);
    const Tensor by_operations = tessera::ssim(a, watched).detach();
    CHECK(test::relative_error(tessera::ssim(a, b), by_operations) < 1e-12);
    CHECK(test::relative_error(tessera::ssim(a.to(at::kFloat), b.to(at::kFloat)), by_operations) <
          1e-5);
    // A view that is not contiguous.
    const Tensor turned = a.transpose(2, 3);
    CHECK(test::relative_error(tessera::ssim(turned, b.transpose(2, 3)), by_operations) < 1e-12);
  }
  const auto [a, b] = pair({1, 3, 200, 100});
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  const Tensor alone = tessera::ssim(a, b);
  at::set_num_threads(3);
  CHECK(tessera::ssim(a, b).equal(alone));
  at::set_num_threads(threads);
}
