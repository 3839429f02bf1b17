// SPDX-License-Identifier: BSD-3-Clause
#include <ATen/ops/eye.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/tensor.h>

#include "adjoint.hpp"
#include "catch.hpp"
#include "tensors.hpp"
#include "tessera/core/error.hpp"
#include "tessera/physics/check_adjoint.hpp"
#include "tessera/physics/wavelet_transform.hpp"

using namespace tessera;

namespace {

Tensor numbers(const std::vector<double>& values) {
  return at::tensor(values, at::kDouble);
}

/// The columns W e_n for signals of this length.
Tensor matrix(const WaveletTransform& transform, std::int64_t length) {
  return transform.apply(at::eye(length, at::kDouble).unsqueeze(1)).squeeze(1).t();
}

}  // namespace

TEST_CASE("Wavelet transforms are orthogonal, in one to three dimensions") {
  const int order = GENERATE(1, 2, 3, 4);
  const int levels = GENERATE(1, 2);
  const WaveletTransform transform({.order = order, .levels = levels});
  for (const Extents& shape : {Extents{2, 3, 20}, Extents{2, 3, 12, 4}, Extents{2, 1, 4, 12, 8}}) {
    const Tensor x = test::indexed(shape);
    const Tensor coefficients = transform.apply(x);
    CHECK(coefficients.norm().item<double>() == Approx(x.norm().item<double>()).epsilon(1e-12));
    CHECK(test::relative_error(transform.apply_adjoint(coefficients), x) < 1e-12);
    CHECK(test::relative_error(transform.apply(transform.apply_adjoint(x)), x) < 1e-12);
    CHECK(adjoint_error(transform, x) < 1e-12);
    CHECK(test::relative_error(transform.apply(x.to(at::kFloat)), coefficients) < 1e-6);
  }
  const Tensor w = matrix(transform, 12);
  CHECK(test::relative_error(at::matmul(w.t(), w), at::eye(12, at::kDouble)) < 1e-12);
  CHECK(transform.norm_squared(test::indexed({1, 1, 8})) == 1);
}

TEST_CASE("The details of polynomials below the order vanish away from the seam") {
  const int order = GENERATE(1, 2, 3, 4);
  const Tensor ramp = at::arange(32, at::kDouble).view({1, 1, 32}) / 32;
  const WaveletTransform transform({.order = order, .levels = 1});
  const auto details = [&](int degree) {
    return transform.apply(ramp.pow(degree)).narrow(2, 20, 8).abs().max().item<double>();
  };
  CHECK(details(order - 1) < 1e-12);
  CHECK(details(order) > 1e-7);
}

TEST_CASE("Wavelet transforms of dimensions are products of those of lines") {
  const WaveletTransform transform({.order = 3, .levels = 1});
  const Tensor x = test::indexed({1, 1, 8, 12});
  const Tensor expected =
      at::matmul(at::matmul(matrix(transform, 8), x), matrix(transform, 12).t());
  CHECK(test::relative_error(transform.apply(x), expected) < 1e-13);
}

TEST_CASE("Wavelet transforms equal PyWavelets'") {
  // PyWavelets, mode "periodization".
  const Tensor x = test::indexed({48});
  CHECK(test::relative_error(
            WaveletTransform({.order = 2, .levels = 1}).apply(x.narrow(0, 0, 8).view({1, 1, 8})),
            numbers({-0.34790696, 1.33113558, 0.6099821, -1.2079651, 0.22004387, 0.24435678,
                     -0.0859548, -0.58775229})
                .view({1, 1, 8})) < 1e-7);
  CHECK(test::relative_error(
            WaveletTransform({.order = 3, .levels = 2}).apply(x.narrow(0, 0, 16).view({1, 1, 16})),
            numbers({0.05921032, 1.15303689, -0.76411249, 0.29149595, 0.93057589, -1.00591289,
                     1.15804254, -1.52351048, 0.09757235, -0.10141177, -0.14481973, 0.05218258,
                     0.16255838, 0.00307659, -0.16151254, 0.37521927})
                .view({1, 1, 16})) < 1e-7);
  const WaveletTransform transform({.order = 2, .levels = 2});
  const Tensor image = transform.apply(test::indexed({1, 1, 8, 12}))[0][0];
  const auto at = [&](std::int64_t i, std::int64_t j) { return image[i][j].item<double>(); };
  CHECK(at(0, 0) == Approx(1.1211202503634885).epsilon(1e-12));
  CHECK(at(1, 2) == Approx(0.4503395932340585).epsilon(1e-12));
  CHECK(at(0, 3) == Approx(0.49670607996348737).epsilon(1e-12));
  CHECK(at(2, 0) == Approx(-1.4931583556293253).epsilon(1e-12));
  CHECK(at(3, 5) == Approx(0.04126762781845243).epsilon(1e-12));
  CHECK(at(1, 7) == Approx(-0.0282048883783486).epsilon(1e-12));
  CHECK(at(5, 2) == Approx(1.0945094360295198).epsilon(1e-12));
  CHECK(at(7, 11) == Approx(-1.2478904368576313).epsilon(1e-12));
  CHECK(image.abs().sum().item<double>() == Approx(47.96798259359725).epsilon(1e-12));
  CHECK(transform.approximation(image.view({1, 1, 8, 12})).abs().sum().item<double>() ==
        Approx(2.8883858832929685).epsilon(1e-12));
}

TEST_CASE("Wavelet transforms refuse extents that cannot be halved so often") {
  const WaveletTransform transform({.order = 2, .levels = 3});
  CHECK_THROWS_WITH(transform.apply(test::indexed({1, 1, 8, 12})),
                    test::contains("wavelet_transform.forward: x is [1, 1, 8, 12]") &&
                        test::contains("multiples of 8 for 3 levels"));
  CHECK_THROWS_WITH(transform.apply_adjoint(test::indexed({1, 1, 12})), test::contains("adjoint"));
  CHECK_THROWS_WITH(WaveletTransform({.order = 5, .levels = 1}), test::contains("expected 1 to 4"));
  CHECK_THROWS_AS(WaveletTransform({.order = 0, .levels = 1}), error::InvalidArgument);
  CHECK_THROWS_AS(WaveletTransform({.order = 1, .levels = 0}), error::InvalidArgument);
}
