// SPDX-License-Identifier: BSD-3-Clause
#include "tessera/core/real_dot.hpp"

#include <ATen/ops/arange.h>
#include <ATen/ops/complex.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/real.h>

#include "adjoint.hpp"
#include "catch.hpp"

using tessera::real_dot;
using tessera::Tensor;

TEST_CASE("real_dot sums products in float64, at every length and dtype", "[core]") {
  // Integers, whose sums are exact: sum_i i (i + 1).
  const std::int64_t most = 3 * 65536 + 5;
  for (const std::int64_t n : {std::int64_t{1}, std::int64_t{65536}, std::int64_t{65537}, most}) {
    const Tensor a = at::arange(n, at::kDouble);
    const double expected =
        static_cast<double>(n - 1) * static_cast<double>(n) * static_cast<double>(n + 1) / 3;
    CHECK(real_dot(a, a + 1) == expected);
    CHECK(real_dot(a.to(at::kFloat), a.to(at::kFloat) + 1) == expected);
    CHECK(real_dot(a.to(at::kLong), a.to(at::kLong) + 1) == expected);
  }
  // Products and sums beyond the range of float32 and float16.
  const double large = real_dot(at::full({70000}, 1e30F), at::full({70000}, -1e30F));
  CHECK(large == Approx(-7e64).epsilon(1e-6));
  const Tensor half = at::full({300, 300}, 300.0, at::kHalf);
  CHECK(real_dot(half, half) == 90000.0 * 90000.0);
  CHECK(real_dot(at::empty({0, 3}), at::empty({0, 3})) == 0);
}

TEST_CASE("real_dot is the real part of the complex inner product, in any layout", "[core]") {
  const Tensor a = at::complex(test::random({3, 4, 5}, 1), test::random({3, 4, 5}, 2));
  const Tensor b = at::complex(test::random({3, 4, 5}, 3), test::random({3, 4, 5}, 4));
  const double expected = at::real((a.conj() * b).sum()).item<double>();
  CHECK(real_dot(a, b) == Approx(expected).epsilon(1e-13));
  CHECK(real_dot(b, a) == Approx(expected).epsilon(1e-13));
  CHECK(real_dot(a.conj(), b.conj()) == Approx(expected).epsilon(1e-13));
  CHECK(real_dot(a.permute({2, 0, 1}), b.permute({2, 0, 1})) == Approx(expected).epsilon(1e-13));
  CHECK(real_dot(a, a) == Approx(a.abs().square().sum().item<double>()).epsilon(1e-13));
  const Tensor x = test::random({3, 4}, 5);
  const Tensor leaf = x.clone().requires_grad_(true);
  CHECK(real_dot(leaf, x.t().t()) == Approx(x.square().sum().item<double>()).epsilon(1e-13));

  using tessera::error::ShapeMismatch;
  CHECK_THROWS_WITH(real_dot(x, x.t()), test::contains("[3, 4] float64 on cpu and [4, 3]"));
  CHECK_THROWS_AS(real_dot(a, at::real(a)), ShapeMismatch);
  CHECK_THROWS_AS(real_dot(x, Tensor()), ShapeMismatch);
}
