// SPDX-License-Identifier: BSD-3-Clause
#include "tessera/fourier/multi_coil_nonuniform_fourier.hpp"

#include <ATen/ops/matmul.h>
#include <ATen/ops/real.h>

#include "catch.hpp"
#include "fourier_sums.hpp"
#include "tessera/core/complex_channels.hpp"
#include "tessera/core/error.hpp"
#include "tessera/fidelity/l2.hpp"
#include "tessera/physics/algebra.hpp"
#include "tessera/physics/stacked.hpp"

using namespace tessera;

namespace {

double distance(const Tensor& a, const Tensor& b) {
  REQUIRE(a.sizes() == b.sizes());
  return ((a - b).norm() / b.norm()).item<double>();
}

const std::vector<Extents> all_extents = {{25}, {12, 9}, {5, 6, 7}};

}  // namespace

TEST_CASE("MultiCoilNonuniformFourier is the sum of its definition", "[fourier]") {
  for (const Extents& extents : all_extents) {
    CAPTURE(extents);
    const Tensor points = test::some_points(40, extents);
    const Tensor matrix = test::exponentials(points, extents);
    const Tensor weights = test::random({40}, 7).square();
    for (const std::int64_t batch : {1, 2}) {
      const Tensor coils = test::complex_random(test::with({batch, 3}, extents), 1);
      const Tensor pairs = test::random(test::with({2, 2}, extents), 2);
      for (const bool complex_pairs : {true, false}) {
        CAPTURE(batch, complex_pairs);
        const MultiCoilNonuniformFourier physics(
            coils, points,
            {.tolerance = 1e-12, .complex_pairs = complex_pairs, .weights = weights});
        const Tensor x = complex_pairs ? pairs : pairs.narrow(1, 0, 1);
        const Tensor z = complex_pairs ? to_complex(x) : x.to(at::kComplexDouble);
        const Tensor y = at::matmul((coils * z).flatten(2), matrix.t()) * weights.sqrt();
        CHECK(distance(physics.apply(x), y) < 1e-11);
        const Tensor each =
            at::matmul(y * weights.sqrt(), matrix.conj()).view(test::with({2, 3}, extents));
        const Tensor back = (each * coils.conj()).sum(1, true);
        CHECK(distance(physics.apply_adjoint(y),
                       complex_pairs ? from_complex(back) : at::real(back)) < 1e-11);
        // Float32 images, for which the maps are converted.
        CHECK(distance(physics.apply(x.to(at::kFloat)), y) < 3e-6);
      }
    }
  }
}

TEST_CASE("MultiCoilNonuniformFourier has exact adjoints at any tolerance", "[fourier]") {
  for (const Extents& extents : all_extents) {
    CAPTURE(extents);
    const Tensor points = test::some_points(40, extents);
    const Tensor coils = test::complex_random(test::with({1, 3}, extents), 1);
    const Tensor pairs = test::random(test::with({2, 2}, extents), 2);
    for (const double tolerance : {1e-2, 1e-6}) {
      const MultiCoilNonuniformFourier complex(coils, points,
                                               {.tolerance = tolerance, .complex_pairs = true});
      CHECK(adjoint_error(complex, pairs) < 1e-12);
      CHECK(adjoint_error(complex, pairs.to(at::kFloat)) < 1e-5);
      const MultiCoilNonuniformFourier real(coils, points, {.tolerance = tolerance});
      CHECK(adjoint_error(real, pairs.narrow(1, 0, 1)) < 1e-12);
    }
  }
}

TEST_CASE("The normal operator of coils off the grid is a filter for each coil", "[fourier]") {
  for (const Extents& extents : all_extents) {
    CAPTURE(extents);
    const Tensor points = test::some_points(40, extents);
    const Tensor coils = test::complex_random(test::with({1, 3}, extents), 1);
    const Tensor weights = test::random({40}, 7).square();
    for (const bool pairs : {true, false}) {
      const auto physics = std::make_shared<MultiCoilNonuniformFourier>(
          coils, points,
          NonuniformFourierOptions{.tolerance = 1e-12, .complex_pairs = pairs, .weights = weights});
      const Tensor x = test::random(test::with({2, pairs ? 2 : 1}, extents), 2);
      CHECK_FALSE(physics->has_normal_filter(x));
      CHECK(physics->has_fused_normal(x));
      CHECK(weighted(physics, 0.5)->has_fused_normal(x));
      const TensorList y = physics->forward(x + 1);
      CHECK(test::relative_error(physics->normal(x + 1), physics->adjoint(y)) < 1e-11);
      const L2 fused(physics, y, x, {.drop_measurements = true});
      const L2 plain(physics, y, x, {.fused = false});
      CHECK(fused.is_fused());
      CHECK(test::relative_error(fused.gradient(x), plain.gradient(x)) < 1e-10);
      CHECK(fused.value(x) == Approx(plain.value(x)).epsilon(1e-9));
    }
  }
}

TEST_CASE("Slices of the coils off the grid, stacked, are all of them", "[fourier]") {
  const Extents extents = {6, 7};
  const Tensor coils = test::complex_random({1, 5, 6, 7}, 1);
  const Tensor points = test::some_points(120, extents);
  const NonuniformFourierOptions options{.tolerance = 1e-12, .complex_pairs = true};
  const auto whole = std::make_shared<MultiCoilNonuniformFourier>(coils, points, options);
  const StackedPhysics stack(3, [&](std::int64_t i) {
    return std::make_shared<MultiCoilNonuniformFourier>(coils.narrow(1, 2 * i, i == 2 ? 1 : 2),
                                                        points, options);
  });
  const Tensor x = test::random({2, 2, 6, 7}, 3);
  const Tensor y = whole->apply(x);
  CHECK(distance(stack.forward(x)[1], y.narrow(1, 2, 2)) < 1e-14);
  CHECK(stack.has_fused_normal(x));
  CHECK(test::relative_error(stack.normal(x), whole->normal(x)) < 1e-13);
  CHECK(test::relative_error(stack.adjoint(stack.forward(x)), whole->apply_adjoint(y)) < 1e-13);
  // Images come back.
  CHECK(test::relative_error(whole->pseudo_inverse({y}, {.tolerance = 1e-11}), x) < 1e-8);
}

TEST_CASE("MultiCoilNonuniformFourier says what does not fit", "[fourier]") {
  const Tensor coils = test::complex_random({2, 3, 5, 6}, 1);
  const Tensor points = test::some_points(4, {5, 6});
  const MultiCoilNonuniformFourier physics(coils, points, {.complex_pairs = true});
  CHECK_THROWS_WITH(physics.apply(test::random({2, 2, 6, 5}, 1)),
                    test::contains("multi_coil_nonuniform_fourier.forward: x is [2, 2, 6, 5]") &&
                        test::contains("of extents [5, 6], a batch of 2 as the maps"));
  CHECK_THROWS_WITH(physics.apply(test::random({2, 1, 5, 6}, 1)), test::contains("re and im"));
  CHECK_THROWS_AS(physics.apply(test::random({1, 2, 5, 6}, 1)), error::ShapeMismatch);
  CHECK_THROWS_AS(physics.normal(test::random({2, 2, 5, 6}, 1, at::kHalf)), error::ShapeMismatch);
  CHECK_THROWS_WITH(physics.apply_adjoint(test::complex_random({2, 2, 4}, 1)),
                    test::contains("expected complex64 or complex128 (2, 3, 4)"));
  CHECK_THROWS_WITH(MultiCoilNonuniformFourier(at::real(coils), points),
                    test::contains("multi_coil_nonuniform_fourier: the coil maps are"));
  CHECK_THROWS_WITH(MultiCoilNonuniformFourier(coils, points.narrow(1, 0, 1)),
                    test::contains("expected floating (M, 2)"));
}
