// SPDX-License-Identifier: BSD-3-Clause
#include "tessera/fourier/nonuniform_fourier.hpp"

#include <ATen/ops/arange.h>
#include <ATen/ops/linalg_eigvalsh.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/real.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include "catch.hpp"
#include "fourier_sums.hpp"
#include "tessera/comm/self.hpp"
#include "tessera/core/complex_channels.hpp"
#include "tessera/core/error.hpp"
#include "tessera/distributed/distributed_physics.hpp"
#include "tessera/fidelity/l2.hpp"
#include "tessera/physics/stacked.hpp"
#include "threads.hpp"

using namespace tessera;

namespace {

const std::vector<Extents> all_extents = {{25}, {40}, {70, 9}, {12, 81}, {5, 6, 7}, {20, 3, 37}};

double distance(const Tensor& a, const Tensor& b) {
  REQUIRE(a.sizes() == b.sizes());
  return ((a - b).norm() / b.norm()).item<double>();
}

Tensor dense_normal(const LinearOperator& physics, const Extents& shape) {
  TensorList columns;
  for (std::int64_t i = 0; i < c10::multiply_integers(shape); ++i) {
    Tensor unit = at::zeros(shape, at::kDouble);
    unit.view(-1)[i] = 1.0;
    columns.push_back(physics.apply_adjoint(physics.apply(unit)).flatten());
  }
  return at::stack(columns, 1);
}

}  // namespace

TEST_CASE("NonuniformFourier is the sum of its definition, to its tolerance", "[fourier]") {
  for (const Extents& extents : all_extents) {
    CAPTURE(extents);
    const Tensor points = test::some_points(50, extents);
    const Tensor x = test::random(test::with({2, 4}, extents), 2);
    const Tensor matrix = test::exponentials(points, extents);
    const Tensor expected = at::matmul(to_complex(x).flatten(2), matrix.t());
    for (const double tolerance : {1e-2, 1e-4, 1e-6, 1e-9, 1e-12, 1e-14}) {
      CAPTURE(tolerance);
      const NonuniformFourier pairs(extents, points,
                                    {.tolerance = tolerance, .complex_pairs = true});
      const Tensor y = pairs.apply(x);
      REQUIRE(y.sizes() == at::IntArrayRef({2, 2, 50}));
      CHECK(distance(y, expected) < 2 * tolerance + 2e-14);
      const Tensor back = at::matmul(y, matrix.conj()).view(test::with({2, 2}, extents));
      CHECK(distance(to_complex(pairs.apply_adjoint(y)), back) < 2 * tolerance + 2e-14);
    }
    const NonuniformFourier real(extents, points, {.tolerance = 1e-12});
    const Tensor y = real.apply(x);
    CHECK(distance(y, at::matmul(x.flatten(2).to(at::kComplexDouble), matrix.t())) < 1e-12);
    CHECK(distance(real.apply_adjoint(y),
                   at::real(at::matmul(y, matrix.conj())).view(test::with({2, 4}, extents))) <
          1e-12);
    // Float32 images: six digits, however many are asked for.
    CHECK(distance(real.apply(x.to(at::kFloat)), y) < 2e-6);
    CHECK(real.apply(x.to(at::kFloat)).scalar_type() == at::kComplexFloat);
    CHECK(distance(real.apply_adjoint(y.to(at::kComplexFloat)), real.apply_adjoint(y)) < 2e-6);
  }
}

TEST_CASE("NonuniformFourier has exact adjoints at any tolerance", "[fourier]") {
  for (const Extents& extents : all_extents) {
    CAPTURE(extents);
    const Tensor points = test::some_points(60, extents);
    const Tensor weights = test::random({60}, 7).square();
    const Tensor x = test::random(test::with({2, 2}, extents), 2);
    for (const double tolerance : {1e-2, 1e-6, 1e-12}) {
      for (const bool pairs : {false, true}) {
        for (const bool by_tensors : {false, true}) {
          const NonuniformFourier physics(extents, points, {tolerance, pairs, weights, by_tensors});
          CHECK(adjoint_error(physics, x) < 1e-13);
          CHECK(adjoint_error(physics, x.to(at::kFloat)) < 1e-5);
        }
      }
    }
  }
}

TEST_CASE("Tensor operations give what the loops give", "[fourier]") {
  for (const Extents& extents : all_extents) {
    CAPTURE(extents);
    const Tensor points = test::some_points(300, extents);
    const Tensor x = test::random(test::with({2, 2}, extents), 2);
    const NonuniformFourier loops(extents, points, {.complex_pairs = true});
    const NonuniformFourier tensors(extents, points, {.complex_pairs = true, .by_tensors = true});
    const Tensor y = loops.apply(x);
    CHECK(distance(tensors.apply(x), y) < 1e-13);
    CHECK(distance(tensors.apply_adjoint(y), loops.apply_adjoint(y)) < 1e-13);
    CHECK(distance(tensors.apply(x.to(at::kFloat)), y) < 3e-6);
    CHECK(distance(tensors.normal_filter(x).spectrum, loops.normal_filter(x).spectrum) < 1e-13);
  }
}

TEST_CASE("The results are the same bits for any number of threads", "[fourier]") {
  for (const Extents& extents : std::vector<Extents>{{3000}, {70, 150}, {30, 33, 40}}) {
    CAPTURE(extents);
    // Many in few tiles.
    const Tensor points = test::some_points(3000, extents).abs().pow(3) / 10;
    const Tensor x = test::random(test::with({1, 2}, extents), 2, at::kFloat);
    const NonuniformFourier physics(extents, points, {.complex_pairs = true});
    Tensor y;
    Tensor back;
    {
      const test::Threads one(1);
      y = physics.apply(x);
      back = physics.apply_adjoint(y);
    }
    const bool is_row = extents.size() == 1;  // LibTorch shares one long transform among threads
    for (const int count : {2, 3}) {
      const test::Threads several(count);
      CHECK((physics.apply(x).equal(y) || (is_row && distance(physics.apply(x), y) < 1e-6)));
      CHECK((physics.apply_adjoint(y).equal(back) ||
             (is_row && distance(physics.apply_adjoint(y), back) < 1e-6)));
    }
  }
}

TEST_CASE("The normal operator of NonuniformFourier is a Toeplitz filter", "[fourier]") {
  for (const Extents& extents : all_extents) {
    CAPTURE(extents);
    const Tensor points = test::some_points(50, extents);
    const Tensor weights = test::random({50}, 7).square();
    const Tensor x = test::random(test::with({2, 4}, extents), 2);
    for (const bool pairs : {false, true}) {
      const NonuniformFourier physics(
          extents, points, {.tolerance = 1e-12, .complex_pairs = pairs, .weights = weights});
      const NormalFilter filter = physics.normal_filter(x);
      REQUIRE(filter.defined());
      CHECK_FALSE(filter.circulant);
      CHECK(filter.pairs == pairs);
      CHECK_FALSE(physics.has_exact_inverse(x));
      const Tensor expected = physics.apply_adjoint(physics.apply(x));
      CHECK(test::relative_error(physics.normal(x), expected) < 1e-11);
      CHECK(test::relative_error(physics.normal(x.to(at::kFloat)), expected) < 1e-6);
      CHECK(test::relative_error((2.0 * filter).apply(x), 2 * expected) < 1e-11);
    }
  }
}

TEST_CASE("The filter of NonuniformFourier bounds its norm", "[fourier]") {
  for (const bool pairs : {false, true}) {
    const Extents extents = {6, 5};
    const NonuniformFourier physics(extents, test::some_points(20, extents),
                                    {.tolerance = 1e-12, .complex_pairs = pairs});
    const Extents shape = {1, pairs ? 2 : 1, 6, 5};
    const Tensor x = test::random(shape, 2);
    const double truth = at::linalg_eigvalsh(dense_normal(physics, shape)).max().item<double>();
    CHECK(physics.normal_filter(x).norm_bound() >= truth);
    CHECK(physics.norm_squared(x) >= truth);
    CHECK(physics.norm_squared(x) <= 1.02 * truth * (1 + 1e-9));
  }
}

TEST_CASE("Shares of the points, stacked or distributed, have all their filter", "[fourier]") {
  const Extents extents = {7, 8};
  const Tensor points = test::some_points(50, extents);
  const Tensor weights = test::random({50}, 7).square();
  const Tensor x = test::random({2, 2, 7, 8}, 3);
  for (const bool pairs : {false, true}) {
    const auto part = [&](std::int64_t first, std::int64_t count) {
      return std::make_unique<NonuniformFourier>(
          extents, points.narrow(0, first, count),
          NonuniformFourierOptions{1e-12, pairs, weights.narrow(0, first, count)});
    };
    const auto share = [&](std::int64_t i) -> std::unique_ptr<LinearPhysics> {
      return part(20 * i, i == 2 ? 10 : 20);
    };
    const auto whole = part(0, 50);
    const auto stack = std::make_shared<StackedPhysics>(3, share);
    const auto shared = std::make_shared<DistributedPhysics>(3, share, self_communicator());
    for (const LinearPhysicsPtr& physics : std::vector<LinearPhysicsPtr>{stack, shared}) {
      REQUIRE(physics->has_normal_filter(x));
      CHECK(physics->normal_filter(x).pairs == pairs);
      CHECK(test::relative_error(physics->normal(x), whole->normal(x)) < 1e-12);
      const TensorList y = physics->forward(x + 1);
      const L2 fused(physics, y, x, {.drop_measurements = true});
      const L2 plain(physics, y, x, {.fused = false});
      CHECK(fused.is_fused());
      CHECK(test::relative_error(fused.gradient(x), plain.gradient(x)) < 1e-11);
      CHECK(fused.value(x) == Approx(plain.value(x)).epsilon(1e-10));
      CHECK(test::relative_error(fused.gradient(x), L2(shared, y, x).gradient(x)) < 1e-12);
    }
  }
  // Filters of pairs and of real images are of two kinds.
  const auto real = std::make_shared<NonuniformFourier>(extents, points);
  const auto complex = std::make_shared<NonuniformFourier>(
      extents, points, NonuniformFourierOptions{.complex_pairs = true});
  const StackedPhysics mixed({real, complex});
  CHECK_FALSE(mixed.has_normal_filter(x));
  CHECK(test::relative_error(mixed.normal(x), real->normal(x) + complex->normal(x)) < 1e-5);
  const DistributedPhysics mixed_ranks(mixed, self_communicator());
  CHECK_FALSE(mixed_ranks.has_normal_filter(x));
}

TEST_CASE("NonuniformFourier equals FINUFFT", "[fourier]") {
  // nufft2d2 of FINUFFT 2.5.1, isign = -1, eps = 1e-14.
  const std::vector<double> expected = {-1.637397702178, -1.142223814936, -1.483573502014,
                                        2.960059396035,  -0.192594640504, 0.134660640991,
                                        1.781597894208,  -3.760619295813};
  const Tensor x = at::stack({test::indexed({7, 6}), test::indexed({7, 6}, 1)}).unsqueeze(0);
  const Tensor m = at::arange(4, at::kDouble);
  const Tensor points = 3 * at::stack({(1 + m).sin(), (3 + m).sin()}, 1);
  const NonuniformFourier physics({7, 6}, points, {.tolerance = 1e-13, .complex_pairs = true});
  const Tensor y = at::view_as_real(physics.apply(x)).flatten();
  for (std::size_t i = 0; i < expected.size(); ++i) {
    CHECK(y[static_cast<std::int64_t>(i)].item<double>() == Approx(expected[i]).margin(2e-12));
  }
}

TEST_CASE("Images are found again from more points than pixels", "[fourier]") {
  const Extents extents = {9, 8};
  const NonuniformFourier physics(extents, test::some_points(400, extents), {.tolerance = 1e-12});
  const Tensor x = test::random({2, 1, 9, 8}, 2);
  CHECK(test::relative_error(physics.pseudo_inverse(physics.forward(x), {.tolerance = 1e-11}), x) <
        1e-9);
}

TEST_CASE("NonuniformFourier says what does not fit", "[fourier]") {
  const Extents extents = {5, 6};
  const Tensor points = test::some_points(4, extents);
  const NonuniformFourier physics(extents, points, {.complex_pairs = true});
  CHECK_THROWS_WITH(physics.apply(test::random({1, 2, 6, 5}, 1)),
                    test::contains("nonuniform_fourier.forward: x is [1, 2, 6, 5]") &&
                        test::contains("of extents [5, 6]"));
  CHECK_THROWS_WITH(physics.apply(test::random({1, 3, 5, 6}, 1)), test::contains("re and im"));
  CHECK_THROWS_AS(physics.apply(test::random({1, 2, 5, 6}, 1, at::kHalf)), error::ShapeMismatch);
  CHECK_THROWS_WITH(physics.apply_adjoint(at::zeros({1, 1, 5}, at::kComplexDouble)),
                    test::contains("expected complex64 or complex128 (B, C, 4)"));
  CHECK_THROWS_AS(physics.apply_adjoint(test::random({1, 1, 4}, 1)), error::ShapeMismatch);
  CHECK_THROWS_WITH(NonuniformFourier({5}, points), test::contains("expected floating (M, 1)"));
  CHECK_THROWS_AS(NonuniformFourier({}, points), error::InvalidArgument);
  CHECK_THROWS_AS(NonuniformFourier({0, 2}, points), error::InvalidArgument);
  CHECK_THROWS_AS(NonuniformFourier(extents, points / 0.0), error::InvalidArgument);
  CHECK_THROWS_AS(NonuniformFourier(extents, points.narrow(0, 0, 0)), error::ShapeMismatch);
  CHECK_THROWS_WITH(NonuniformFourier(extents, points, {.tolerance = 1e-15}),
                    test::contains("the tolerance is 1e-15"));
  CHECK_THROWS_AS(NonuniformFourier(extents, points, {.weights = test::random({5}, 1)}),
                  error::ShapeMismatch);
  CHECK_THROWS_WITH(NonuniformFourier(extents, points, {.weights = 0 * points.select(1, 0) - 2}),
                    test::contains("a weight is -2"));
}
