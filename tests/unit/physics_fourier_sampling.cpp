// SPDX-License-Identifier: BSD-3-Clause
#include "tessera/physics/fourier_sampling.hpp"

#include <ATen/ops/eye.h>
#include <ATen/ops/linalg_eigvalsh.h>
#include <ATen/ops/linalg_solve.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <cmath>
#include <complex>
#include <numbers>

#include "adjoint.hpp"
#include "catch.hpp"
#include "tessera/core/complex_channels.hpp"
#include "tessera/core/error.hpp"
#include "tessera/fidelity/l2.hpp"

using namespace tessera;

namespace {

/// The transform of the definition, one coefficient at a time, of one plane (H, W), real or
/// complex.
Tensor by_definition(const Tensor& plane) {
  const Tensor z = plane.to(at::kComplexDouble).contiguous();
  const std::int64_t h = z.size(0);
  const std::int64_t w = z.size(1);
  Tensor result = at::zeros_like(z);
  for (std::int64_t k = 0; k < h; ++k) {
    for (std::int64_t l = 0; l < w; ++l) {
      std::complex<double> sum = 0;
      for (std::int64_t r = 0; r < h; ++r) {
        for (std::int64_t c = 0; c < w; ++c) {
          const double turns = static_cast<double>(k * r) / static_cast<double>(h) +
                               static_cast<double>(l * c) / static_cast<double>(w);
          const auto value = z[r][c].item<c10::complex<double>>();
          sum += std::complex<double>(value.real(), value.imag()) *
                 std::polar(1.0, -2 * std::numbers::pi * turns);
        }
      }
      sum /= std::sqrt(static_cast<double>(h * w));
      result[k][l].fill_(c10::complex<double>(sum));
    }
  }
  return result;
}

/// A^T A without a filter, column by column.
Tensor dense_normal(const LinearPhysics& physics, const Extents& shape) {
  TensorList columns;
  for (std::int64_t i = 0; i < c10::multiply_integers(shape); ++i) {
    Tensor unit = at::zeros(shape, at::kDouble);
    unit.view(-1)[i] = 1.0;
    columns.push_back(physics.adjoint(physics.forward(unit)).flatten());
  }
  return at::stack(columns, 1);
}

double distance(const Tensor& a, const Tensor& b) {
  return ((a - b).abs().max() / b.abs().max()).item<double>();
}

}  // namespace

TEST_CASE("Complex images are pairs of channels", "[core]") {
  const Tensor x = test::random({2, 4, 3, 5}, 1);
  const Tensor z = to_complex(x);
  REQUIRE(z.sizes() == at::IntArrayRef({2, 2, 3, 5}));
  CHECK(at::view_as_real(z[1][1]).equal(at::stack({x[1][2], x[1][3]}, -1)));
  CHECK(from_complex(z).equal(x));
  CHECK(from_complex(z.conj())[1][2].equal(x[1][2]));
  CHECK(from_complex(z.conj())[1][3].equal(-x[1][3]));
  CHECK_THROWS_WITH(to_complex(x.narrow(1, 0, 3)), test::contains("to_complex: x is [2, 3, 3, 5]"));
  CHECK_THROWS_AS(to_complex(x.to(at::kHalf)), error::ShapeMismatch);
  CHECK_THROWS_AS(from_complex(x), error::ShapeMismatch);
}

TEST_CASE("FourierSampling is the masked orthonormal transform", "[physics]") {
  const Tensor mask = test::random({5, 6}, 1);
  const Tensor x = test::random({2, 4, 5, 6}, 2);
  const Tensor y = FourierSampling(mask).apply(x);
  REQUIRE(y.sizes() == x.sizes());
  CHECK(distance(y[1][2], mask * by_definition(x[1][2])) < 1e-13);

  const Tensor pairs = FourierSampling(mask, {.complex_pairs = true}).apply(x);
  REQUIRE(pairs.sizes() == at::IntArrayRef({2, 2, 5, 6}));
  const Tensor z = at::view_as_complex(at::stack({x[1][2], x[1][3]}, -1));
  CHECK(distance(pairs[1][1], mask * by_definition(z)) < 1e-13);

  const FourierSampling some(mask > 0);
  CHECK((some.apply(x).abs() > 0).sum().item<std::int64_t>() ==
        8 * (mask > 0).sum().item<std::int64_t>());
}

TEST_CASE("FourierSampling has exact adjoints", "[physics]") {
  for (const Extents& extents : std::vector<Extents>{{9}, {8}, {7, 5}, {6, 9}, {3, 4, 5}}) {
    Extents shape = {2, 4};
    shape.insert(shape.end(), extents.begin(), extents.end());
    const Tensor x = at::zeros(shape, at::kDouble);
    for (const bool is_complex : {false, true}) {
      CAPTURE(extents, is_complex);
      for (const Tensor& mask : {test::random(extents, 1), test::random(extents, 1) > 0}) {
        const FourierSampling physics(mask, {.complex_pairs = is_complex});
        CHECK(adjoint_error(physics, x) < 1e-13);
        CHECK(adjoint_error(physics, x.to(at::kFloat)) < 1e-5);
        CHECK(physics.apply(x.to(at::kFloat)).scalar_type() == at::kComplexFloat);
      }
    }
  }
}

TEST_CASE("FourierSampling of real images: gradient, norm and inverse in Fourier space",
          "[physics]") {
  for (const Extents& extents : std::vector<Extents>{{9}, {8}, {3, 5}, {6, 4}, {3, 2, 4}}) {
    CAPTURE(extents);
    Extents one = {1, 1};
    one.insert(one.end(), extents.begin(), extents.end());
    Extents batch = one;
    batch[0] = 2;
    batch[1] = 3;
    const Tensor x = test::random(batch, 2);
    const auto physics = std::make_shared<FourierSampling>(test::random(extents, 3));
    REQUIRE(physics->has_exact_inverse(x));
    CHECK(test::relative_error(physics->normal(x), physics->adjoint(physics->forward(x))) < 1e-13);
    const Tensor dense = dense_normal(*physics, one);
    CHECK(physics->norm_squared(x) ==
          Approx(at::linalg_eigvalsh(dense).max().item<double>()).epsilon(1e-12));
    const Tensor shifted = dense + 0.3 * at::eye(dense.size(0), at::kDouble);
    const Tensor solved = physics->solve_normal(x, 0.3);
    CHECK(test::relative_error(solved[1][2].flatten(),
                               at::linalg_solve(shifted, x[1][2].flatten())) < 1e-12);

    const TensorList y = physics->forward(x + 0.1);
    const L2 fused(physics, y, x);
    const L2 plain(physics, y, x, {.fused = false});
    CHECK(fused.is_fused());
    CHECK(test::relative_error(fused.gradient(x), plain.gradient(x)) < 1e-12);
    CHECK(fused.value(x) == Approx(plain.value(x)).epsilon(1e-11));
  }
}

TEST_CASE("FourierSampling of complex images has a filter where the mask is symmetric",
          "[physics]") {
  const Tensor x = test::random({2, 2, 5, 6}, 1);
  Tensor mask = at::ones({5, 6}, at::kDouble);
  mask[1][2] = mask[4][4] = 0.0;  // k and -k
  const FourierSampling symmetric(mask, {.complex_pairs = true});
  REQUIRE(symmetric.has_exact_inverse(x));
  CHECK(test::relative_error(symmetric.normal(x), symmetric.apply_adjoint(symmetric.apply(x))) <
        1e-13);
  mask[1][2] = 2.0;
  const FourierSampling lopsided(mask, {.complex_pairs = true});
  CHECK_FALSE(lopsided.has_normal_filter(x));
  const Tensor dense = dense_normal(lopsided, {1, 2, 5, 6});
  CHECK(lopsided.norm_squared(x) == Approx(at::linalg_eigvalsh(dense).max().item<double>()));
  const Tensor solved = lopsided.solve_normal(x, 0.1, {.tolerance = 1e-12});
  CHECK(test::relative_error(lopsided.normal(solved) + 0.1 * solved, x) < 1e-11);
  CHECK(FourierSampling(mask).has_normal_filter(x));
}

TEST_CASE("FourierSampling: half of all frequencies are enough for a real image", "[physics]") {
  const Tensor x = test::random({2, 1, 7, 6}, 1);
  Tensor mask = at::zeros({7, 6}, at::kBool);
  mask.narrow(1, 0, 4).fill_(true);
  const FourierSampling physics(mask);
  CHECK(test::relative_error(physics.pseudo_inverse(physics.forward(x), {.tolerance = 1e-12}), x) <
        1e-10);
}

TEST_CASE("FourierSampling says what does not fit", "[physics]") {
  const FourierSampling physics(at::ones({5, 6}, at::kDouble));
  CHECK_THROWS_WITH(
      physics.apply(test::random({1, 1, 6, 5}, 1)),
      test::contains("fourier_sampling.forward: x is [1, 1, 6, 5]") && test::contains("[5, 6]"));
  CHECK_THROWS_AS(physics.apply(test::random({1, 1, 5, 6}, 1, at::kHalf)), error::ShapeMismatch);
  CHECK_THROWS_AS(physics.normal(test::random({1, 1, 6, 5}, 1)), error::ShapeMismatch);
  CHECK_THROWS_WITH(physics.apply_adjoint(test::random({1, 1, 5, 6}, 1)),
                    test::contains("fourier_sampling.adjoint") && test::contains("complex64"));
  const FourierSampling pairs(at::ones({5, 6}, at::kBool), {.complex_pairs = true});
  CHECK_THROWS_WITH(pairs.apply(test::random({1, 3, 5, 6}, 1)), test::contains("re and im"));
  CHECK_THROWS_AS(FourierSampling(at::ones({5, 6}, at::kLong)), error::ShapeMismatch);
  CHECK_THROWS_AS(FourierSampling(at::ones({5}, at::kDouble) / 0.0), error::InvalidArgument);
}

TEST_CASE("what operators need in the images' dtype is converted once") {
  const Tensor original = test::indexed({3, 4});
  const ConvertedTensor kept(original);
  const Tensor single = kept.as(at::kCPU, at::kFloat);
  CHECK(single.equal(original.to(at::kFloat)));
  CHECK(kept.as(at::kCPU, at::kFloat).is_same(single));
  CHECK(kept.as(at::kCPU, at::kDouble).is_same(original));
  CHECK(ConvertedTensor(kept).as(at::kCPU, at::kFloat).is_same(single));
  const ConvertedTensor learned(original.clone().requires_grad_(true));
  CHECK(learned.as(at::kCPU, at::kFloat).requires_grad());
}
