// SPDX-License-Identifier: BSD-3-Clause
#include "tessera/physics/space_varying_blur.hpp"

#include <ATen/ops/ones.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "adjoint.hpp"
#include "catch.hpp"
#include "tessera/core/error.hpp"

using namespace tessera;

namespace {

constexpr std::array paddings = {Padding::valid, Padding::circular, Padding::reflect,
                                 Padding::replicate, Padding::constant};
constexpr std::array methods = {ConvolutionMethod::fourier, ConvolutionMethod::direct};

/// The weight of a node at a pixel, as the class describes it.
double weight(std::int64_t node, std::int64_t nodes, std::int64_t pixel, std::int64_t n) {
  const auto centre = [&](std::int64_t i) {
    return (static_cast<double>(i) + 0.5) * static_cast<double>(n) / static_cast<double>(nodes) -
           0.5;
  };
  const auto p = static_cast<double>(pixel);
  if (p <= centre(0)) return node == 0 ? 1 : 0;
  if (p >= centre(nodes - 1)) return node == nodes - 1 ? 1 : 0;
  const double distance = std::abs(p - centre(node)) / (centre(1) - centre(0));
  return std::max(0.0, 1 - distance);
}

/// sum_k h_k * (w_k x) from whole images and Blur.
Tensor by_whole_images(const Tensor& kernels, Padding padding, const Tensor& x) {
  Tensor sum;
  for (std::int64_t i = 0; i < kernels.size(0); ++i) {
    for (std::int64_t j = 0; j < kernels.size(1); ++j) {
      const Tensor weights = at::zeros_like(x);
      for (std::int64_t r = 0; r < x.size(2); ++r) {
        for (std::int64_t c = 0; c < x.size(3); ++c) {
          weights.select(2, r).select(2, c).fill_(weight(i, kernels.size(0), r, x.size(2)) *
                                                  weight(j, kernels.size(1), c, x.size(3)));
        }
      }
      const Tensor term = Blur(kernels[i][j].unsqueeze(0), padding).apply(weights * x);
      sum = sum.defined() ? sum + term : term;
    }
  }
  return sum;
}

}  // namespace

TEST_CASE("SpaceVaryingBlur is the sum of blurs of the weighted image", "[physics]") {
  const Tensor x = test::random({2, 3, 17, 14}, 1);
  for (const auto& shape :
       {Extents{2, 3, 1, 5, 4}, Extents{3, 1, 3, 4, 3}, Extents{1, 4, 1, 1, 7}}) {
    const Tensor kernels = test::random(shape, 2);
    for (const Padding padding : paddings) {
      CAPTURE(shape, to_string(padding));
      const Tensor expected = by_whole_images(kernels, padding, x);
      for (const ConvolutionMethod method : methods) {
        const SpaceVaryingBlur blur(kernels, {padding, method});
        CHECK(blur.grid() == Extents{shape[0], shape[1]});
        CHECK(test::relative_error(blur.apply(x), expected) < 1e-13);
        CHECK(test::relative_error(blur.apply(x.to(at::kFloat)), expected) < 1e-6);
        CHECK(adjoint_error(blur, x) < 1e-13);
        CHECK(adjoint_error(blur, x.to(at::kFloat)) < 1e-5);
      }
    }
  }
}

TEST_CASE("SpaceVaryingBlur of equal kernels is Blur, in 1, 2 and 3 dimensions", "[physics]") {
  const std::vector<std::pair<Extents, Extents>> cases = {
      {{5}, {4}}, {{3, 4}, {5, 3}}, {{9, 1}, {2, 8}}, {{2, 1, 3}, {3, 2, 4}}};
  for (const auto& [grid, size] : cases) {
    Extents kernel_shape = {1, 1};
    kernel_shape.insert(kernel_shape.end(), size.begin(), size.end());
    const Tensor kernel = test::random(kernel_shape, 3);
    Extents all = grid;
    all.insert(all.end(), kernel_shape.begin() + 1, kernel_shape.end());
    const Tensor kernels = kernel[0].expand(all);
    Extents image_shape = {2, 2, 9, 8, 7};
    image_shape.resize(2 + grid.size());
    const Tensor x = test::random(image_shape, 4);
    for (const Padding padding : paddings) {
      CAPTURE(grid, size, to_string(padding));
      const SpaceVaryingBlur blur(kernels, {padding, {}});
      CHECK(test::relative_error(blur.apply(x), Blur(kernel, padding).apply(x)) < 1e-13);
      CHECK(adjoint_error(blur, x) < 1e-13);
    }
  }
}

TEST_CASE("SpaceVaryingBlur: the image of a point is the mean of the kernels around it",
          "[physics]") {
  // Nodes at 2, 7 and 12 of 15 pixels.
  const Tensor kernels = at::ones({3, 3, 1, 3, 3}, at::kDouble);
  for (std::int64_t i = 0; i < 3; ++i) {
    for (std::int64_t j = 0; j < 3; ++j) {
      Tensor kernel = test::random({3, 3}, static_cast<std::uint64_t>(3 * i + j)).abs();
      kernels[i][j][0].copy_(kernel / kernel.sum());
    }
  }
  const SpaceVaryingBlur blur(kernels, {Padding::constant, {}});
  const auto image_of_point = [&](std::int64_t r, std::int64_t c) {
    Tensor x = at::zeros({1, 1, 15, 15}, at::kDouble);
    x[0][0][r][c] = 1.0;
    const Tensor y = blur.apply(x)[0][0];
    CHECK(y.sum().item<double>() == Approx(1).epsilon(1e-13));  // no light is lost
    return y.slice(0, r - 1, r + 2).slice(1, c - 1, c + 2);
  };
  CHECK(test::relative_error(image_of_point(7, 2), kernels[1][0][0]) < 1e-13);
  const Tensor between = 0.6 * kernels[1][1][0] + 0.4 * kernels[2][1][0];
  CHECK(test::relative_error(image_of_point(9, 7), between) < 1e-13);
  CHECK(test::relative_error(image_of_point(13, 13), kernels[2][2][0]) < 1e-13);
}

TEST_CASE("SpaceVaryingBlur is differentiable and solved by conjugate gradients", "[physics]") {
  const SpaceVaryingBlur blur(test::random({2, 2, 1, 3, 3}, 1), {Padding::reflect, {}});
  const Tensor x = test::random({1, 2, 9, 11}, 2).requires_grad_(true);
  const Tensor v = test::random({1, 2, 9, 11}, 3);
  CHECK(test::relative_error(torch::autograd::grad({blur.apply(x)}, {x}, {v}).front(),
                             blur.apply_adjoint(v)) < 1e-13);
  CHECK_FALSE(blur.has_normal_filter(v));
  const Tensor solved = blur.solve_normal(v, 0.5, {.tolerance = 1e-11});
  CHECK(test::relative_error(blur.normal(solved) + 0.5 * solved, v) < 1e-10);
}

TEST_CASE("SpaceVaryingBlur says what does not fit", "[physics]") {
  const SpaceVaryingBlur blur(test::random({2, 3, 2, 5, 5}, 1), {Padding::valid, {}});
  CHECK_THROWS_WITH(blur.apply(test::random({1, 3, 8, 8}, 1)),
                    test::contains("space_varying_blur.forward: x is [1, 3, 8, 8]"));
  CHECK_THROWS_AS(blur.apply(test::random({1, 2, 4, 8}, 1)), error::ShapeMismatch);
  CHECK_THROWS_WITH(blur.apply_adjoint(test::random({1, 2, 8}, 1)),
                    test::contains("space_varying_blur.adjoint"));
  CHECK_THROWS_AS(SpaceVaryingBlur(test::random({1, 1, 3, 3}, 1)), error::ShapeMismatch);
  CHECK_THROWS_AS(SpaceVaryingBlur(Tensor()), error::ShapeMismatch);
}
