// SPDX-License-Identifier: BSD-3-Clause
#include "tessera/fourier/interferometer.hpp"

#include <ATen/ops/arange.h>
#include <ATen/ops/complex.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/polar.h>
#include <ATen/ops/real.h>
#include <ATen/ops/sin.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <numbers>

#include "adjoint.hpp"
#include "catch.hpp"
#include "tessera/comm/self.hpp"
#include "tessera/core/error.hpp"
#include "tessera/distributed/distributed_physics.hpp"
#include "tessera/fidelity/l2.hpp"
#include "tessera/physics/stacked.hpp"

using namespace tessera;

namespace {

/// `count` baselines up to 40 wavelengths, with weights.
Visibilities some(std::int64_t count, double w_scale = 30) {
  const Tensor uvw = test::random({count, 3}, 5);
  const Tensor scales =
      at::stack({9 * at::ones({count}, at::kDouble), 7 * at::ones({count}, at::kDouble),
                 w_scale * at::ones({count}, at::kDouble)},
                1);
  return {uvw * scales, at::complex(test::random({count}, 6), test::random({count}, 7)),
          test::random({count}, 8).square()};
}

Visibilities part(const Visibilities& all, std::int64_t first, std::int64_t count) {
  return {all.uvw.narrow(0, first, count), all.values.narrow(0, first, count),
          all.weights.narrow(0, first, count)};
}

/// exp(-2 pi i (u l + v m + w (n - 1))), (M, pixels), over n if asked.
Tensor by_definition(const Tensor& uvw, const Extents& spatial, double cell, bool divide_by_n) {
  const auto along = [&](std::int64_t n) {
    return (at::arange(n, at::kDouble) - static_cast<double>(n / 2)) * cell;
  };
  const Tensor m = along(spatial[0]).unsqueeze(1).expand({spatial[0], spatial[1]}).flatten();
  const Tensor l = along(spatial[1]).unsqueeze(0).expand({spatial[0], spatial[1]}).flatten();
  const Tensor n = (1 - l.square() - m.square()).sqrt();
  const Tensor turns = uvw.select(1, 0).unsqueeze(1) * l + uvw.select(1, 1).unsqueeze(1) * m +
                       uvw.select(1, 2).unsqueeze(1) * (n - 1);
  const Tensor matrix = at::polar(at::ones_like(turns), -2 * std::numbers::pi * turns);
  return divide_by_n ? matrix / n : matrix;
}

double distance(const Tensor& a, const Tensor& b) {
  REQUIRE(a.sizes() == b.sizes());
  return ((a - b).norm() / b.norm()).item<double>();
}

}  // namespace

TEST_CASE("An interferometer measures the sum of its definition", "[fourier]") {
  for (const Extents& spatial : std::vector<Extents>{{9, 8}, {6, 11}}) {
    const Visibilities data = some(40);
    const Tensor x = test::random({2, 1, spatial[0], spatial[1]}, 2);
    const Tensor roots = data.weights.sqrt();
    for (const bool divide : {false, true}) {
      const Tensor matrix = by_definition(data.uvw, spatial, 0.04, divide);
      const Tensor expected = roots * at::matmul(x.flatten(2).to(at::kComplexDouble), matrix.t());
      for (const double tolerance : {1e-3, 1e-6, 1e-9, 1e-12}) {
        CAPTURE(spatial, divide, tolerance);
        const auto physics = interferometer(data, spatial, 0.04, {tolerance, true, divide});
        CHECK(distance(physics->forward(x).front(), expected) < 10 * tolerance);
        CHECK(adjoint_error(*physics, x) < 1e-13);
        CHECK(adjoint_error(*physics, x.to(at::kFloat)) < 1e-5);
      }
    }
    Tensor flat = data.uvw.clone();
    flat.select(1, 2).zero_();
    const auto physics = interferometer(data, spatial, 0.04, {.tolerance = 1e-12});
    CHECK(distance(physics->forward(x).front(),
                   roots * at::matmul(x.flatten(2).to(at::kComplexDouble),
                                      by_definition(flat, spatial, 0.04, false).t())) < 1e-11);
    CHECK(physics->has_normal_filter(x));
  }
}

TEST_CASE("An interferometer equals ducc0's", "[fourier]") {
  // dirty2vis of ducc0 0.42 with flip_w, epsilon 1e-12; its first axis is ours of columns.
  const Tensor m = at::arange(4, at::kDouble);
  const Tensor uvw = at::stack({9 * (1 + m).sin(), 7 * (2 + m).sin(), 30 * (3 + m).sin()}, 1);
  const Tensor x = test::indexed({1, 1, 10, 8});
  const std::vector<std::vector<double>> expected = {
      {0.720165128637, -0.685898481522, -0.743310429922, 2.333098696465, -7.008780960229,
       -4.572464072426, 0.410103241906, -0.164140199578},
      {0.736652070079, -0.705701109309, -0.788165208965, 2.383478536546, -7.095741265441,
       -4.566765307660, 0.416739217444, -0.167564658561}};
  for (const bool divide : {false, true}) {
    const auto physics = interferometer({uvw, {}, {}}, {10, 8}, 0.04, {1e-12, true, divide});
    const Tensor y = at::view_as_real(physics->forward(x).front()).flatten();
    for (std::size_t i = 0; i < 8; ++i) {
      CHECK(y[static_cast<std::int64_t>(i)].item<double>() ==
            Approx(expected[divide ? 1 : 0][i]).margin(1e-11));
    }
  }
}

TEST_CASE("A point source, and the point spread function", "[fourier]") {
  const Visibilities data = some(60);
  for (const bool w_terms : {false, true}) {
    const auto physics = interferometer(data, {9, 8}, 0.04, {1e-12, w_terms});
    Tensor x = at::zeros({1, 1, 9, 8}, at::kDouble);
    x[0][0][4][4].fill_(1);  // at the centre: the same visibility everywhere
    const Tensor y = physics->forward(x).front();
    CHECK(distance(y.view(-1), data.weights.sqrt().to(at::kComplexDouble)) < 1e-11);
    const Tensor psf = physics->adjoint({y});
    CHECK(psf[0][0][4][4].item<double>() == Approx(data.weights.sum().item<double>()));
    CHECK(psf.max().item<double>() == psf[0][0][4][4].item<double>());
    const Tensor dirty = physics->adjoint({whitened(data)});
    const Tensor matrix = by_definition(data.uvw, {9, 8}, 0.04, false);
    if (w_terms) {
      CHECK(distance(dirty.flatten(),
                     at::real(at::matmul(data.weights * data.values, matrix.conj()))) < 1e-11);
    }
  }
}

TEST_CASE("Shares of the visibilities are all of them", "[fourier]") {
  const Visibilities data = some(50);
  const Tensor x = test::random({1, 1, 9, 8}, 2);
  for (const bool w_terms : {false, true}) {
    const InterferometerOptions options{1e-12, w_terms};
    const auto share = [&](std::int64_t i) {
      return interferometer(part(data, 20 * i, i == 2 ? 10 : 20), {9, 8}, 0.04, options);
    };
    const std::shared_ptr<LinearPhysics> whole = interferometer(data, {9, 8}, 0.04, options);
    const L2 all(whole, {whitened(data)}, x);
    TensorList mine;
    for (std::int64_t i = 0; i < 3; ++i) {
      mine.push_back(whitened(part(data, 20 * i, i == 2 ? 10 : 20)));
    }
    const auto stack = std::make_shared<StackedPhysics>(3, share);
    const auto ranks = std::make_shared<DistributedPhysics>(3, share, self_communicator());
    for (const LinearPhysicsPtr& shares : std::vector<LinearPhysicsPtr>{stack, ranks}) {
      const L2 sum(shares, mine, x, {.drop_measurements = true});
      CHECK(sum.is_fused() == !w_terms);
      CHECK(test::relative_error(sum.adjoint_of_data(), all.adjoint_of_data()) < 1e-11);
      CHECK(test::relative_error(sum.gradient(x), all.gradient(x)) < 1e-11);
      CHECK(sum.value(x) == Approx(all.value(x)).epsilon(1e-10));
    }
  }
}

TEST_CASE("Planes of w: one, and fields without height", "[fourier]") {
  const Tensor x = test::random({1, 1, 9, 8}, 2);
  for (const double scale : {0.0, 1e-9}) {
    const Visibilities data = some(20, scale);
    const auto planes = interferometer(data, {9, 8}, 0.04, {1e-12, true});
    const auto flat = interferometer(data, {9, 8}, 0.04, {1e-12});
    CHECK(distance(planes->forward(x).front(), flat->forward(x).front()) < 1e-8);
  }
  const Visibilities data = some(20);
  const auto pixel = interferometer(data, {1, 1}, 0.04, {1e-12, true});
  CHECK(distance(pixel->forward(x.narrow(2, 0, 1).narrow(3, 0, 1)).front().flatten(),
                 (data.weights.sqrt() * x.view(-1)[0]).to(at::kComplexDouble)) < 1e-11);
}

TEST_CASE("An interferometer says what does not fit", "[fourier]") {
  const Visibilities data = some(4);
  CHECK_THROWS_WITH(interferometer({data.values, {}, {}}, {9, 8}, 0.1),
                    test::contains("interferometer: uvw is [4] complex128"));
  CHECK_THROWS_WITH(interferometer(data, {9, 40}, 0.05, {.w_terms = true}),
                    test::contains("beyond the horizon"));
  CHECK_THROWS_AS(interferometer(data, {9}, 0.01), error::InvalidArgument);
  CHECK_THROWS_AS(interferometer(data, {9, 8}, 0.0), error::InvalidArgument);
  CHECK_THROWS_WITH(interferometer(data, {9, 8}, 0.01, {.divide_by_n = true}),
                    test::contains("divide_by_n needs w_terms"));
  CHECK_THROWS_AS(interferometer(data, {9, 8}, 0.01, {.tolerance = 0}), error::InvalidArgument);
  CHECK_THROWS_WITH(interferometer({data.uvw, {}, -data.weights}, {9, 8}, 0.01, {.w_terms = true}),
                    test::contains("expected numbers >= 0"));
  CHECK_THROWS_AS(whitened({data.uvw, data.weights, {}}), error::ShapeMismatch);
  CHECK_THROWS_AS(whitened({data.uvw, data.values, data.weights.narrow(0, 0, 2)}),
                  error::ShapeMismatch);
  const auto physics = interferometer(data, {9, 8}, 0.01, {.w_terms = true});
  CHECK_THROWS_WITH(physics->forward(test::random({1, 1, 8, 9}, 1)),
                    test::contains("interferometer.forward: x is [1, 1, 8, 9]"));
  CHECK_THROWS_WITH(physics->adjoint({at::zeros({1, 1, 5}, at::kComplexDouble)}),
                    test::contains("(B, C, 4)"));
}
