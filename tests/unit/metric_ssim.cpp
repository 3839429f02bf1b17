// SPDX-License-Identifier: BSD-3-Clause
#include "tessera/metric/ssim.hpp"

#include <ATen/Parallel.h>
#include <ATen/ops/linspace.h>
#include <ATen/ops/pad.h>

#include <cmath>
#include <limits>
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

TEST_CASE("ssim: offsets cost no precision") {
  const auto [a, b] = pair({1, 2, 40, 30});
  for (const double offset : {-1000.0, 100.0, 10000.0}) {
    CAPTURE(offset);
    const Tensor x = (a + offset).to(at::kFloat);
    const Tensor y = (b + offset).to(at::kFloat);
    const double expected = tessera::ssim(x.to(at::kDouble), y.to(at::kDouble)).item<double>();
    CHECK(std::abs(tessera::ssim(x, y).item<double>() - expected) < 2e-3);
    const Tensor watched = y.clone().requires_grad_(true);
    CHECK(std::abs(tessera::ssim(x, watched).item<double>() - expected) < 2e-3);
  }
}

TEST_CASE("ssim: images whose parts have different offsets, beyond the range") {
  // A step of 5000 between textures, as between air and bone.
  const auto [a, b] = pair({1, 1, 40, 40});
  Tensor step = 0 * a;
  step.narrow(3, 20, 20).fill_(5000);
  const Tensor x = (a + step).to(at::kFloat);
  const Tensor y = (b + step).to(at::kFloat);
  const double expected = tessera::ssim(x.to(at::kDouble), y.to(at::kDouble)).item<double>();
  CHECK(std::abs(tessera::ssim(x, y).item<double>() - expected) < 1e-6);
}

TEST_CASE("ssim: half precisions are compared in float32") {
  const auto [a, b] = pair({1, 3, 32, 24});
  for (const at::ScalarType type : {at::kHalf, at::kBFloat16}) {
    const Tensor x = a.to(type);
    const Tensor y = b.to(type);
    const double expected = tessera::ssim(x.to(at::kDouble), y.to(at::kDouble)).item<double>();
    CHECK(tessera::ssim(x, y).item<double>() == Approx(expected).margin(1e-5));
  }
}

TEST_CASE("ssim: where it is defined can be asked") {
  CHECK(tessera::ssim_is_defined({1, 3, 6, 6}));
  CHECK_FALSE(tessera::ssim_is_defined({1, 3, 5, 300}));
  CHECK_FALSE(tessera::ssim_is_defined({1, 3, 300, 4}));
  CHECK_FALSE(tessera::ssim_is_defined({1, 3, 300}));
  CHECK(tessera::ssim_is_defined({1, 1, 6, 7, 8}));
  CHECK(tessera::ssim_is_defined({1, 3, 4, 4}, {.sigma = 0.8}));
  CHECK_FALSE(tessera::ssim_is_defined({1, 3, 400, 400}, {.sigma = 1e300}));
  for (const double wrong : {0.0, -1.0, std::numeric_limits<double>::infinity(), std::nan("")}) {
    const auto [a, b] = pair({1, 1, 8, 8});
    CHECK_THROWS_AS(tessera::ssim(a, b, {.range = wrong}), tessera::error::InvalidArgument);
    CHECK_THROWS_AS(tessera::ssim(a, b, {.sigma = wrong}), tessera::error::InvalidArgument);
  }
  const auto [a, b] = pair({1, 1, 8, 8});
  CHECK_THROWS_AS(tessera::ssim(a, b, {.k2 = -0.03}), tessera::error::InvalidArgument);
}

TEST_CASE("ssim: NaN in an image is NaN in the index") {
  const auto [a, b] = pair({2, 1, 12, 12});
  Tensor broken = b.to(at::kFloat);
  broken[0][0][6][6] = std::nan("");
  CHECK(std::isnan(tessera::ssim(a.to(at::kFloat), broken)[0].item<double>()));
}

TEST_CASE("ssim: the same by slabs, and of pixels with what is around them") {
  const tessera::SsimOptions options;
  const auto [a, b] = pair({2, 3, 75, 14});
  const auto constants =
      tessera::detail::ssim_constants(options, tessera::detail::intensities(a, b));
  const Tensor window = tessera::detail::ssim_window(options, a);
  const Tensor x = at::pad(a, {5, 5, 5, 5}, "reflect");
  const Tensor y = at::pad(b, {5, 5, 5, 5}, "reflect");
  const Tensor sums = tessera::detail::ssim_sums(x, y, window, constants);
  REQUIRE(sums.sizes() == at::IntArrayRef({2, 3}));
  CHECK(test::relative_error(sums.mean(1) / (75 * 14), tessera::ssim(a, b)) < 1e-12);
  // Three slabs of 32 rows at most.
  CHECK(test::relative_error(tessera::detail::ssim_sums(x, y, window, constants, 1), sums) < 1e-12);
  CHECK(test::relative_error(tessera::detail::ssim_sums_on_host(x, y, window, constants,
                                                                tessera::detail::Beyond::held),
                             sums) < 1e-12);
  const auto [volume, worse] = pair({1, 2, 70, 12, 13});
  CHECK(test::relative_error(tessera::detail::ssim_sums(volume, worse, window, constants, 1),
                             tessera::detail::ssim_sums(volume, worse, window, constants)) < 1e-12);
}
