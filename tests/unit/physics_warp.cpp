// SPDX-License-Identifier: BSD-3-Clause
#include "tessera/physics/warp.hpp"

#include <ATen/ops/ones.h>
#include <ATen/ops/rot90.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>

#include "adjoint.hpp"
#include "catch.hpp"
#include "tessera/core/error.hpp"

using namespace tessera;

namespace {

Tensor matrix(const std::vector<double>& values, std::int64_t rows) {
  return at::tensor(values, at::kDouble).view({rows, rows + 1});
}

const std::vector<double> plane = {1.1, -0.3, 0.7, 0.2, 0.8, -1.4};
const std::vector<double> volume = {0.9, 0.2,  -0.1, 0.3, -0.2, 1.1,
                                    0.1, -0.6, 0.05, 0.1, 0.8,  0.45};

/// The value at a position between pixels, from the definition: hat functions of all pixels.
double value_at(const Tensor& image, const std::vector<double>& position) {
  Tensor rest = image;
  for (const double p : position) {
    const Tensor pixels = at::arange(rest.size(0), at::kDouble);
    Extents shape(static_cast<std::size_t>(rest.dim()), 1);
    shape[0] = -1;
    rest = (rest * (1 - (pixels - p).abs()).clamp_min(0.0).view(shape)).sum(0);
  }
  return rest.item<double>();
}

}  // namespace

TEST_CASE("Warp shows each pixel where the matrix says", "[physics]") {
  const Tensor x = test::random({2, 3, 7, 6}, 1);
  const Tensor y = Warp(matrix(plane, 2)).apply(x);
  for (std::int64_t r = 0; r < 7; ++r) {
    for (std::int64_t c = 0; c < 6; ++c) {
      const double dr = static_cast<double>(r) - 3;
      const double dc = static_cast<double>(c) - 2.5;
      const double expected =
          value_at(x[1][2], {3 + 1.1 * dr - 0.3 * dc + 0.7, 2.5 + 0.2 * dr + 0.8 * dc - 1.4});
      CHECK(y[1][2][r][c].item<double>() == Approx(expected).margin(1e-13));
    }
  }
  const Tensor z = test::random({1, 1, 4, 5, 3}, 2);
  const Tensor w = Warp(matrix(volume, 3)).apply(z);
  for (std::int64_t i = 0; i < z.numel(); ++i) {
    const std::vector<double> p = {static_cast<double>(i / 15) - 1.5,
                                   static_cast<double>(i / 3 % 5) - 2,
                                   static_cast<double>(i % 3) - 1};
    std::vector<double> position = {1.5, 2, 1};
    for (std::size_t d = 0; d < 3; ++d) {
      for (std::size_t e = 0; e < 3; ++e) position[d] += volume[4 * d + e] * p[e];
      position[d] += volume[4 * d + 3];
    }
    CHECK(w.view(-1)[i].item<double>() == Approx(value_at(z[0][0], position)).margin(1e-13));
  }
}

TEST_CASE("Warp: identity, whole pixels, a quarter turn", "[physics]") {
  const Tensor x = test::random({2, 3, 7, 7}, 1);
  CHECK(test::relative_error(Warp(matrix({1, 0, 0, 0, 1, 0}, 2)).apply(x), x) < 1e-13);
  Tensor moved = at::zeros_like(x);
  moved.narrow(2, 0, 5).narrow(3, 1, 6).copy_(x.narrow(2, 2, 5).narrow(3, 0, 6));
  CHECK(test::relative_error(Warp(matrix({1, 0, 2, 0, 1, -1}, 2)).apply(x), moved) < 1e-13);
  CHECK(test::relative_error(Warp(matrix({0, 1, 0, -1, 0, 0}, 2)).apply(x),
                             at::rot90(x, 1, {2, 3})) < 1e-13);
}

TEST_CASE("Warp has exact adjoints", "[physics]") {
  for (const Extents& shape : std::vector<Extents>{
           {2, 3, 7, 9}, {1, 1, 8, 5}, {2, 1, 1, 6}, {2, 3, 4, 5, 3}, {1, 2, 5, 1, 6}}) {
    CAPTURE(shape);
    const Warp warp(shape.size() == 4 ? matrix(plane, 2) : matrix(volume, 3));
    const Tensor x = at::zeros(shape, at::kDouble);
    CHECK(adjoint_error(warp, x) < 1e-13);
    CHECK(adjoint_error(warp, x.to(at::kFloat)) < 1e-6);
  }
}

TEST_CASE("Warp is differentiable twice, and works in lower precision", "[physics]") {
  const Warp warp(matrix(plane, 2));
  const Tensor x = test::random({1, 2, 7, 6}, 1).requires_grad_(true);
  const Tensor v = test::random({1, 2, 7, 6}, 2);
  const Tensor half_square = 0.5 * warp.apply(x).square().sum();
  const Tensor gradient = torch::autograd::grad({half_square}, {x}, {}, true, true).front();
  CHECK(test::relative_error(gradient.detach(), warp.normal(x.detach())) < 1e-13);
  CHECK(test::relative_error(torch::autograd::grad({gradient}, {x}, {v}).front(), warp.normal(v)) <
        1e-13);
  const Tensor exact = warp.apply(v);
  for (const auto& [type, tolerance] : {std::pair{at::kFloat, 1e-5}, std::pair{at::kHalf, 3e-3}}) {
    CHECK(warp.apply(v.to(type)).scalar_type() == type);
    CHECK(test::relative_error(warp.apply(v.to(type)), exact) < tolerance);
    CHECK(test::relative_error(warp.apply_adjoint(v.to(type)), warp.apply_adjoint(v)) < tolerance);
  }
  CHECK(warp.apply(v).equal(exact));
}

TEST_CASE("Warp says what does not fit", "[physics]") {
  CHECK_THROWS_WITH(Warp(matrix(plane, 2)).apply(test::random({1, 1, 3, 4, 5}, 1)),
                    test::contains("warp.forward: x") && test::contains("expected 2 spatial"));
  CHECK_THROWS_WITH(Warp(matrix(volume, 3)).apply_adjoint(test::random({1, 1, 3, 4}, 1)),
                    test::contains("warp.adjoint: v"));
  CHECK_THROWS_AS(Warp(at::ones({2, 2}, at::kDouble)), error::ShapeMismatch);
  CHECK_THROWS_AS(Warp(Tensor()), error::ShapeMismatch);
  CHECK_THROWS_AS(Warp(at::ones({2, 3}, at::kDouble) / 0.0), error::InvalidArgument);
}
