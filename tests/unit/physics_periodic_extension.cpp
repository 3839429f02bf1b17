// SPDX-License-Identifier: BSD-3-Clause
#include "tessera/physics/periodic_extension.hpp"

#include <ATen/ops/fft_fftfreq.h>
#include <ATen/ops/fft_irfftn.h>
#include <ATen/ops/fft_rfftfreq.h>
#include <ATen/ops/fft_rfftn.h>
#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/roll.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>

#include "adjoint.hpp"
#include "catch.hpp"
#include "tessera/core/error.hpp"
#include "tessera/fidelity/l2.hpp"
#include "tessera/physics/blur.hpp"
#include "tessera/physics/gaussian_kernel.hpp"

using namespace tessera;

namespace {

/// The Laplacian of the Laplacian on a periodic tile.
Tensor bilaplacian(const Tensor& tile) {
  Tensor result = tile;
  for (int twice = 0; twice < 2; ++twice) {
    Tensor laplacian = -2.0 * static_cast<double>(tile.dim() - 2) * result;
    for (std::int64_t d = 2; d < tile.dim(); ++d) {
      laplacian = laplacian + at::roll(result, {1}, {d}) + at::roll(result, {-1}, {d});
    }
    result = laplacian;
  }
  return result;
}

double largest(const Tensor& tensor) {
  return tensor.abs().max().item<double>();
}

/// A random texture from 0 to 1, coarse and fine structures alike, without a period.
Tensor texture(std::int64_t extent, std::uint64_t seed) {
  const std::int64_t n = 2 * extent;
  const Tensor frequency = (at::fft_fftfreq(n, 1.0, at::kDouble).square().unsqueeze(1) +
                            at::fft_rfftfreq(n, 1.0, at::kDouble).square())
                               .sqrt();
  const Tensor white = at::fft_rfftn(test::random({1, 1, n, n}, seed), {}, {2, 3});
  const Tensor field = at::fft_irfftn(white / (40 * frequency + 1).square(), {n, n}, {2, 3})
                           .narrow(2, 0, extent)
                           .narrow(3, 0, extent);
  return (field - field.min()) / (field.max() - field.min());
}

struct Psnr {
  double inside;
  double frame;  ///< the outer twentieth at each side
};

Psnr psnr_of(const Tensor& restored, const Tensor& truth) {
  const std::int64_t n = truth.size(2);
  const std::int64_t border = n / 20;
  const Tensor error = (restored - truth).square();
  const Tensor inner = error.narrow(2, border, n - 2 * border).narrow(3, border, n - 2 * border);
  const double inner_sum = inner.sum().item<double>();
  const auto outer_count = static_cast<double>(error.numel() - inner.numel());
  return {-10 * std::log10(inner_sum / static_cast<double>(inner.numel())),
          -10 * std::log10((error.sum().item<double>() - inner_sum) / outer_count)};
}

}  // namespace

TEST_CASE("periodic_extension keeps the picture and has no biharmonic in its margin", "[physics]") {
  for (const auto& [extents, margin] : std::vector<std::pair<Extents, Extents>>{
           {{9}, {5}}, {{2}, {1}}, {{7, 8}, {5, 4}}, {{8, 7}, {1, 2}}, {{5, 4, 6}, {3, 4, 5}}}) {
    CAPTURE(extents, margin);
    Extents shape = {2, 3};
    shape.insert(shape.end(), extents.begin(), extents.end());
    const Tensor y = test::random(shape, 1);
    const Tensor tile = periodic_extension(y, margin);
    Tensor picture = tile;
    for (std::size_t d = 0; d < extents.size(); ++d) {
      const auto axis = static_cast<std::int64_t>(d) + 2;
      REQUIRE(tile.size(axis) == extents[d] + margin[d]);
      picture = picture.narrow(axis, 0, extents[d]);
    }
    CHECK(picture.equal(y));
    // The strip of dimension d, before later dimensions were extended: mirrored along these.
    for (std::size_t d = 0; d < extents.size(); ++d) {
      Tensor before = tile;
      for (std::size_t e = d + 1; e < extents.size(); ++e) {
        const auto axis = static_cast<std::int64_t>(e) + 2;
        const Tensor part = before.narrow(axis, 0, extents[e]);
        before = at::cat({part, part.flip(axis)}, axis);
      }
      const auto axis = static_cast<std::int64_t>(d) + 2;
      const Tensor strip = bilaplacian(before).narrow(axis, extents[d], margin[d]);
      CHECK(largest(strip) < 1e-11 * largest(bilaplacian(before)));
    }
  }
}

TEST_CASE("periodic_extension: constants, precision, no margin, one pixel, gradients",
          "[physics]") {
  const Tensor constant = at::full({1, 2, 6, 5}, 0.7, at::kDouble);
  CHECK(largest(periodic_extension(constant, {7, 40}) - 0.7) < 1e-12);
  const Tensor y = test::random({1, 2, 6, 5}, 1);
  CHECK(periodic_extension(y, 0).equal(y));
  CHECK(periodic_extension(y, 3).equal(periodic_extension(y, {3, 3})));
  const Tensor single = periodic_extension(y.to(at::kFloat), {3, 4});
  CHECK(single.scalar_type() == at::kFloat);
  CHECK(test::relative_error(single, periodic_extension(y, {3, 4})) < 1e-6);
  CHECK(largest(periodic_extension(at::ones({1, 1, 1, 1}, at::kDouble), 4) - 1) < 1e-12);

  const Tensor input = y.clone().requires_grad_(true);
  const Tensor v = test::random({1, 2, 9, 9}, 2);
  const Tensor gradient =
      torch::autograd::grad({periodic_extension(input, {3, 4})}, {input}, {v}).front();
  const Tensor direction = test::random({1, 2, 6, 5}, 3);  // the map is linear
  CHECK((gradient * direction).sum().item<double>() ==
        Approx((v * periodic_extension(direction, {3, 4})).sum().item<double>()).epsilon(1e-10));

  CHECK_THROWS_WITH(periodic_extension(y, Extents{3}),
                    test::contains("periodic_extension: margin is [3]"));
  CHECK_THROWS_AS(periodic_extension(y, -1), error::ShapeMismatch);
  CHECK_THROWS_AS(periodic_extension(at::ones({3, 3}, at::kDouble), 1), error::ShapeMismatch);
}

TEST_CASE("A photograph without a period is restored up to its borders", "[physics]") {
  // Tikhonov restoration of the valid part of a blur of a larger scene.
  const std::int64_t n = 96;
  const double weight = 0.01;
  const Tensor kernel = gaussian_kernel(2, 2);
  const std::int64_t reach = kernel.size(2) / 2;
  const Tensor scene = texture(n + 2 * reach, 1);
  const Tensor truth = scene.narrow(2, reach, n).narrow(3, reach, n);
  const auto camera = std::make_shared<Blur>(kernel, Padding::valid);
  const Tensor clean = camera->apply(scene);
  const Tensor y = clean + 0.01 * test::random(clean.sizes(), 2);

  const auto seen = [&](const Tensor& x, std::int64_t begin) {
    return psnr_of(x.narrow(2, begin, n).narrow(3, begin, n), truth);
  };
  // The restored image, near `grey` where the measurement says nothing.
  const Tensor grey = y.mean();
  const auto restored = [&](const Blur& blur, const Tensor& measured) {
    return blur.solve_normal(blur.apply_adjoint(measured) + weight * grey, weight);
  };
  const Blur circular(kernel, Padding::circular);
  const Psnr raw = seen(restored(circular, y), 0);
  const Psnr extended = seen(restored(circular, periodic_extension(y, 32)), 0);
  // The same on all pixels of the scene that the camera sees a part of, by conjugate gradients.
  const Psnr exact = seen(restored(*camera, y), reach);
  // Near the continued picture instead of grey, as a proximal operator is near its argument.
  const Tensor around = at::roll(periodic_extension(y, 2 * reach), {reach, reach}, {2, 3});
  const Psnr guided = seen(L2(camera, {y}, around).prox(around, 1 / weight), reach);
  CAPTURE(raw.inside, raw.frame, extended.inside, extended.frame);
  CAPTURE(exact.inside, exact.frame, guided.inside, guided.frame);
  CHECK(extended.frame > raw.frame + 8);          // 29.9 dB, 20.8 dB
  CHECK(extended.frame > extended.inside - 0.3);  // 30.0 dB inside
  CHECK(exact.frame > exact.inside - 1.5);        // 28.9 dB, 30.0 dB: the unseen is guessed as grey
  CHECK(guided.frame > guided.inside - 0.3);      // 29.6 dB both
}
