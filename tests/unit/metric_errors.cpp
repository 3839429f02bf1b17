// SPDX-License-Identifier: BSD-3-Clause
#include "tessera/metric/errors.hpp"

#include <ATen/ops/full.h>
#include <ATen/ops/tensor.h>

#include <cmath>

#include "catch.hpp"
#include "tessera/core/error.hpp"

using namespace tessera;

TEST_CASE("Errors of images, each by itself", "[metric]") {
  const Tensor reference = at::tensor({3.0, 4.0, 0.5, 0.5}, at::kDouble).view({2, 1, 1, 2});
  const Tensor image = at::tensor({4.0, 2.0, 0.5, 0.0}, at::kDouble).view({2, 1, 1, 2});
  CHECK(mae(image, reference)[0].item<double>() == Approx(1.5));
  CHECK(mae(image, reference)[1].item<double>() == Approx(0.25));
  CHECK(nrmse(image, reference)[0].item<double>() == Approx(std::sqrt(5.0) / 5));
  CHECK(nrmse(7 * image, 7 * reference)[0].item<double>() == Approx(std::sqrt(5.0) / 5));
  CHECK(nrmse(image, reference)[1].item<double>() == Approx(0.5 / std::sqrt(0.5)));
  // One element of two differs: asinh(0 / b) against asinh(0.5 / 0.01).
  const double error = 0.5 * std::pow(std::asinh(50.0), 2);
  const double expected = 10 * std::log10(std::pow(std::asinh(100.0), 2) / error);
  CHECK(asinh_psnr(image, reference)[1].item<double>() == Approx(expected));
  CHECK(asinh_psnr(2 * image, 2 * reference, 2)[1].item<double>() == Approx(expected));
  CHECK(mae(image.to(at::kHalf), reference.to(at::kHalf))[0].item<double>() == Approx(1.5));
  CHECK_THROWS_AS(mae(image, reference.to(at::kFloat)), error::ShapeMismatch);
  CHECK_THROWS_AS(nrmse(image, reference.slice(3, 1)), error::ShapeMismatch);
  CHECK_THROWS_AS(asinh_psnr(image, reference, 0), error::InvalidArgument);
}
