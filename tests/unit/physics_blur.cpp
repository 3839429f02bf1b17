// SPDX-License-Identifier: BSD-3-Clause
#include "tessera/physics/blur.hpp"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/tensordot.h>
#include <ATen/ops/zeros.h>
#include <c10/core/InferenceMode.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <cmath>
#include <thread>

#include "adjoint.hpp"
#include "catch.hpp"
#include "physics_golden.hpp"
#include "tessera/core/error.hpp"
#include "tessera/physics/gaussian_kernel.hpp"

using tessera::Blur;
using tessera::BlurOptions;
using tessera::ConvolutionMethod;
using tessera::Padding;
using tessera::Tensor;

namespace {

constexpr std::array paddings = {Padding::valid, Padding::circular, Padding::reflect,
                                 Padding::replicate, Padding::constant};
constexpr std::array methods = {ConvolutionMethod::fourier, ConvolutionMethod::direct};

/// Index that pixel `n` of the continued signal is copied from; -1 for zero.
std::int64_t source(std::int64_t n, std::int64_t extent, Padding padding) {
  switch (padding) {
    case Padding::circular:
      return ((n % extent) + extent) % extent;
    case Padding::reflect:
      n = n < 0 ? -n : n;
      return n >= extent ? 2 * (extent - 1) - n : n;
    case Padding::replicate:
      return std::clamp<std::int64_t>(n, 0, extent - 1);
    default:
      return n < 0 || n >= extent ? -1 : n;
  }
}

/// The matrix of the convolution along one dimension, from the definition.
Tensor matrix_1d(const std::vector<double>& kernel, std::int64_t extent, Padding padding) {
  const auto size = static_cast<std::int64_t>(kernel.size());
  const std::int64_t centre = size / 2;
  const bool valid = padding == Padding::valid;
  const std::int64_t start = valid ? size - 1 - centre : 0;
  const std::int64_t rows = valid ? extent - size + 1 : extent;
  Tensor matrix = at::zeros({rows, extent}, at::kDouble);
  for (std::int64_t row = 0; row < rows; ++row) {
    for (std::int64_t k = 0; k < size; ++k) {
      const std::int64_t column = source(row + start - (k - centre), extent, padding);
      if (column >= 0) matrix[row][column].add_(kernel[static_cast<std::size_t>(k)]);
    }
  }
  return matrix;
}

std::vector<double> profile(std::int64_t size, double phase) {
  std::vector<double> values;
  for (std::int64_t k = 0; k < size; ++k)
    values.push_back(std::sin(1.3 * static_cast<double>(k + 1) + phase));
  return values;
}

/// A sum of two products of profiles, so that it does not separate, and what it does to an image,
/// from the matrices along the dimensions.
struct Reference {
  Tensor kernel;
  Tensor result;
};

Reference reference(const Tensor& image, const std::vector<std::int64_t>& sizes, Padding padding) {
  Reference total;
  for (const double phase : {0.0, 0.8}) {
    Tensor kernel = at::ones({1, 1}, at::kDouble);
    Tensor result = image;
    for (std::size_t d = 0; d < sizes.size(); ++d) {
      const std::vector<double> values = profile(sizes[d], phase + 0.4 * static_cast<double>(d));
      kernel = kernel.unsqueeze(-1) * at::tensor(at::ArrayRef<double>(values), at::kDouble);
      const auto axis = static_cast<std::int64_t>(d) + 2;
      const Tensor matrix = matrix_1d(values, image.size(axis), padding);
      result = at::tensordot(result, matrix, {axis}, {1}).movedim(-1, axis);
    }
    total.kernel = total.kernel.defined() ? total.kernel + kernel : kernel;
    total.result = total.result.defined() ? total.result + result : result;
  }
  return total;
}

}  // namespace

TEST_CASE("Blur reproduces the reference numbers, forward and adjoint", "[physics]") {
  const Tensor x = test::sine_image(3, 40, 36);
  for (const auto& reference : test::golden::blurs) {
    for (std::size_t k = 0; k < test::golden::kernels.size(); ++k) {
      const auto& shape = test::golden::kernels[k];
      const Tensor kernel =
          tessera::gaussian_kernel(shape.sigma_h, shape.sigma_w, shape.angle_degrees);
      for (const ConvolutionMethod method : methods) {
        CAPTURE(reference.padding, shape.side, static_cast<int>(method));
        const Blur blur(kernel, BlurOptions{tessera::padding_from(reference.padding), method});
        const Tensor y = blur.apply(x);
        CHECK(test::golden::deviation(y, reference.forward[k]) < 1e-12);
        CHECK(test::golden::deviation(blur.apply_adjoint(y), reference.adjoint[k]) < 1e-12);
      }
    }
  }
}

TEST_CASE("Blur is the convolution of its definition in 1, 2 and 3 dimensions", "[physics]") {
  const std::vector<std::pair<std::vector<std::int64_t>, std::vector<std::int64_t>>> cases = {
      {{11}, {3}},
      {{11}, {4}},
      {{8}, {1}},
      {{9, 12}, {5, 3}},
      {{9, 12}, {4, 6}},
      {{7, 7}, {2, 7}},
      {{7, 7}, {1, 1}},
      {{7, 8}, {7, 8}},
      {{1, 6}, {1, 3}},
      {{5, 6, 7}, {3, 2, 5}},
      {{4, 5, 3}, {1, 4, 3}},
  };
  for (const auto& [extents, sizes] : cases) {
    std::vector<std::int64_t> shape = {2, 3};
    shape.insert(shape.end(), extents.begin(), extents.end());
    const Tensor x = test::random(shape, 3);
    for (const Padding padding : paddings) {
      const Reference expected = reference(x, sizes, padding);
      for (const ConvolutionMethod method : methods) {
        CAPTURE(extents, sizes, tessera::to_string(padding), static_cast<int>(method));
        const Tensor untouched = x.clone();
        const Blur blur(expected.kernel, BlurOptions{padding, method});
        CHECK(test::relative_error(blur.apply(x), expected.result) < 1e-13);
        CHECK(x.equal(untouched));
        CHECK(test::adjoint_error(blur, x) < 1e-14);
      }
    }
  }
}

TEST_CASE("Blur has exact adjoints in both precisions", "[physics]") {
  for (const Padding padding : paddings) {
    for (const ConvolutionMethod method : methods) {
      for (const auto& [height, width] : {std::pair{9, 15}, std::pair{10, 4}, std::pair{1, 8}}) {
        CAPTURE(tessera::to_string(padding), static_cast<int>(method), height, width);
        const Blur blur(test::random({1, 1, height, width}, 5), BlurOptions{padding, method});
        CHECK(test::adjoint_error(blur, at::zeros({2, 3, 31, 27}, at::kDouble)) < 1e-14);
        CHECK(test::adjoint_error(blur, at::zeros({2, 3, 31, 27}, at::kFloat)) < 1e-6);
      }
    }
  }
}

TEST_CASE("Blur takes one kernel per channel and per image", "[physics]") {
  const Tensor x = test::random({2, 3, 12, 10}, 1);
  for (const auto& [images, channels] : {std::pair{1, 3}, std::pair{2, 1}, std::pair{2, 3}}) {
    const Tensor kernels = test::random({images, channels, 3, 4}, 2);
    for (const Padding padding : paddings) {
      for (const ConvolutionMethod method : methods) {
        const Blur blur(kernels, BlurOptions{padding, method});
        const Tensor y = blur.apply(x);
        CHECK(test::adjoint_error(blur, x) < 1e-14);
        for (std::int64_t b = 0; b < 2; ++b) {
          for (std::int64_t c = 0; c < 3; ++c) {
            const Tensor kernel =
                kernels.expand({2, 3, 3, 4}).slice(0, b, b + 1).slice(1, c, c + 1);
            const Tensor plane = x.slice(0, b, b + 1).slice(1, c, c + 1);
            const Tensor alone = Blur(kernel, BlurOptions{padding, method}).apply(plane);
            CHECK(test::relative_error(y.slice(0, b, b + 1).slice(1, c, c + 1), alone) < 1e-13);
          }
        }
      }
    }
  }
}

TEST_CASE("Blur with a kernel larger than the image", "[physics]") {
  const Tensor x = test::random({1, 2, 6, 5}, 1);
  for (const ConvolutionMethod method : methods) {
    for (const Padding padding : {Padding::circular, Padding::replicate, Padding::constant}) {
      for (const auto& sizes : {std::vector<std::int64_t>{9, 5}, {13, 26}, {6, 14}}) {
        CAPTURE(tessera::to_string(padding), sizes, static_cast<int>(method));
        const Reference expected = reference(x, sizes, padding);
        const Blur blur(expected.kernel, BlurOptions{padding, method});
        CHECK(test::relative_error(blur.apply(x), expected.result) < 1e-13);
        CHECK(test::adjoint_error(blur, x) < 1e-14);
      }
    }
    const Reference reflected = reference(x, {11, 8}, Padding::reflect);
    CHECK(
        test::relative_error(Blur(reflected.kernel, BlurOptions{Padding::reflect, method}).apply(x),
                             reflected.result) < 1e-13);
    CHECK_THROWS_AS(
        Blur(test::random({1, 1, 12, 3}, 1), BlurOptions{Padding::reflect, method}).apply(x),
        tessera::error::ShapeMismatch);
    CHECK_THROWS_AS(
        Blur(test::random({1, 1, 7, 3}, 1), BlurOptions{Padding::valid, method}).apply(x),
        tessera::error::ShapeMismatch);
  }
}

TEST_CASE("A circular Blur has the spectrum of its normal operator", "[physics]") {
  for (const auto& extents : {std::pair{16, 12}, std::pair{15, 13}, std::pair{4, 3}}) {
    const Tensor x = test::random({2, 3, extents.first, extents.second}, 1);
    for (const ConvolutionMethod method : methods) {
      const Blur blur(test::random({1, 3, 5, 4}, 2), BlurOptions{Padding::circular, method});
      REQUIRE(blur.has_normal_filter(x));
      CHECK(blur.normal_filter(x).spectrum.sizes() ==
            at::IntArrayRef({1, 3, extents.first, extents.second / 2 + 1}));
      CHECK(test::relative_error(blur.normal(x), blur.apply_adjoint(blur.apply(x))) < 1e-13);
    }
  }
  for (const Padding padding :
       {Padding::valid, Padding::reflect, Padding::replicate, Padding::constant}) {
    const Tensor x = test::random({1, 1, 12, 12}, 1);
    const Blur blur(test::random({1, 1, 5, 4}, 2), padding);
    CHECK_FALSE(blur.has_normal_filter(x));
    CHECK(test::relative_error(blur.normal(x), blur.apply_adjoint(blur.apply(x))) < 1e-14);
  }
}

TEST_CASE("Blur is differentiable in the image and in the kernel", "[physics]") {
  for (const Padding padding : paddings) {
    for (const ConvolutionMethod method : methods) {
      CAPTURE(tessera::to_string(padding), static_cast<int>(method));
      const Tensor x = test::random({1, 2, 9, 8}, 1).requires_grad_(true);
      const Tensor kernel = test::random({1, 1, 3, 4}, 2).requires_grad_(true);

      const Blur blur(kernel.detach(), BlurOptions{padding, method});
      const Tensor y = blur.apply(x);
      const Tensor v = test::random(y.sizes(), 3);
      const Tensor by_image = torch::autograd::grad({y}, {x}, {v}).front();
      CHECK(test::relative_error(by_image, blur.apply_adjoint(v)) < 1e-13);

      // Twice, through A^T A: nothing of the first graph is kept.
      const Blur learned(kernel, BlurOptions{padding, method});
      for (int repetition = 0; repetition < 2; ++repetition) {
        const Tensor energy = learned.normal(x.detach()).square().sum();
        const Tensor by_kernel = torch::autograd::grad({energy}, {kernel}).front();
        const Tensor direction = test::random(kernel.sizes(), 4);
        const auto energy_at = [&](double t) {
          const Blur moved(kernel.detach() + t * direction, BlurOptions{padding, method});
          return moved.normal(x.detach()).square().sum().item<double>();
        };
        const double difference = (energy_at(1e-5) - energy_at(-1e-5)) / 2e-5;
        CHECK((by_kernel * direction).sum().item<double>() == Approx(difference).epsilon(1e-6));
      }
    }
  }
}

TEST_CASE("A Blur first used in inference mode can be differentiated later", "[physics]") {
  const Blur blur(test::random({1, 1, 9, 9}, 1),
                  BlurOptions{Padding::circular, ConvolutionMethod::fourier});
  {
    const c10::InferenceMode inference;
    blur.apply(test::random({1, 1, 16, 16}, 2));
    blur.normal(test::random({1, 1, 16, 16}, 2));
  }
  const Tensor x = test::random({1, 1, 16, 16}, 3).requires_grad_(true);
  const Tensor v = test::random({1, 1, 16, 16}, 4);
  CHECK(test::relative_error(torch::autograd::grad({blur.apply(x)}, {x}, {v}).front(),
                             blur.apply_adjoint(v)) < 1e-13);
  CHECK(test::relative_error(torch::autograd::grad({blur.normal(x)}, {x}, {v}).front(),
                             blur.normal(v)) < 1e-13);
}

TEST_CASE("Blur works in every floating precision", "[physics]") {
  const Tensor x = test::sine_image(3, 20, 18);
  for (const Padding padding : paddings) {
    for (const ConvolutionMethod method : methods) {
      const Blur blur(tessera::gaussian_kernel(1, 2, 20), BlurOptions{padding, method});
      const Tensor exact = blur.apply(x);
      for (const auto& [type, tolerance] : {std::pair{at::kFloat, 1e-6}, std::pair{at::kHalf, 2e-3},
                                            std::pair{at::kBFloat16, 2e-2}}) {
        CAPTURE(tessera::to_string(padding), static_cast<int>(method), static_cast<int>(type));
        const Tensor y = blur.apply(x.to(type));
        CHECK(y.scalar_type() == type);
        CHECK(test::relative_error(y, exact) < tolerance);
        CHECK(test::relative_error(blur.apply_adjoint(y), blur.apply_adjoint(exact)) < tolerance);
        CHECK(test::relative_error(blur.normal(x.to(type)), blur.normal(x)) < tolerance);
      }
    }
  }
}

TEST_CASE("One Blur may serve several threads", "[physics]") {
  const Blur blur(test::random({1, 1, 9, 9}, 1), Padding::circular);
  std::vector<double> errors(8, 1.0);
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < errors.size(); ++t) {
    threads.emplace_back([&, t] {
      const auto extent = static_cast<std::int64_t>(12 + t / 2);
      const Tensor x = test::random({1, 1, extent, extent}, t);
      errors[t] = test::relative_error(blur.normal(x), blur.apply_adjoint(blur.apply(x)));
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const double error : errors) CHECK(error < 1e-13);
}

TEST_CASE("Blur says what does not fit", "[physics]") {
  using test::contains;
  const Blur blur(test::random({1, 2, 5, 5}, 1), Padding::valid);
  CHECK_THROWS_WITH(blur.apply(test::random({1, 3, 8, 8}, 1)), contains("blur.forward") &&
                                                                   contains("[1, 3, 8, 8]") &&
                                                                   contains("[1, 2, 5, 5]"));
  CHECK_THROWS_WITH(blur.apply(test::random({1, 2, 4, 8}, 1)),
                    contains("too small") && contains("valid"));
  CHECK_THROWS_WITH(blur.apply_adjoint(test::random({1, 2, 8}, 1)), contains("blur.adjoint"));
  CHECK_THROWS_WITH(blur.apply_adjoint(test::random({1, 3, 8, 8}, 1)), contains("blur.adjoint"));
  CHECK_THROWS_AS(Blur(Tensor{}), tessera::error::ShapeMismatch);
  CHECK_THROWS_AS(Blur(test::random({3, 3}, 1)), tessera::error::ShapeMismatch);
  CHECK_THROWS_AS(Blur(at::ones({1, 1, 3, 3}, at::kLong)), tessera::error::ShapeMismatch);
  CHECK_THROWS_WITH(tessera::padding_from("mirror"), contains("'mirror'") && contains("replicate"));
}
