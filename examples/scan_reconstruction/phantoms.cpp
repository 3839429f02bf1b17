// SPDX-License-Identifier: BSD-3-Clause
#include "phantoms.hpp"

#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/exp.h>
#include <ATen/ops/linspace.h>
#include <ATen/ops/mean.h>
#include <ATen/ops/sin.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <random>
#include <vector>

using tessera::Tensor;

namespace {

/// In units of half a side; x to the right, y upwards, z along the first axis of volumes.
struct Ellipsoid {
  double density;
  std::array<double, 3> radius;
  std::array<double, 3> centre;
  double degrees;  ///< of the first axis against x
};

constexpr std::array<Ellipsoid, 10> head = {{{1.0, {.69, .92, .81}, {0, 0, 0}, 0},
                                             {-.8, {.6624, .874, .78}, {0, -.0184, 0}, 0},
                                             {-.2, {.11, .31, .22}, {.22, 0, 0}, -18},
                                             {-.2, {.16, .41, .28}, {-.22, 0, 0}, 18},
                                             {.1, {.21, .25, .41}, {0, .35, -.15}, 0},
                                             {.1, {.046, .046, .05}, {0, .1, .25}, 0},
                                             {.1, {.046, .046, .05}, {0, -.1, .25}, 0},
                                             {.1, {.046, .023, .05}, {-.08, -.605, 0}, 0},
                                             {.1, {.023, .023, .02}, {0, -.606, 0}, 0},
                                             {.1, {.023, .046, .02}, {.06, -.605, 0}, 0}}};

/// 1 where the point is inside. A picture is the plane in which every ellipsoid is cut through its
/// centre.
Tensor inside(const Ellipsoid& e, const Tensor& x, const Tensor& y, const Tensor* z) {
  const double angle = e.degrees * std::numbers::pi / 180;
  const Tensor u = (x - e.centre[0]) * std::cos(angle) + (y - e.centre[1]) * std::sin(angle);
  const Tensor v = (y - e.centre[1]) * std::cos(angle) - (x - e.centre[0]) * std::sin(angle);
  Tensor distance = (u / e.radius[0]).square() + (v / e.radius[1]).square();
  if (z != nullptr) distance = distance + ((*z - e.centre[2]) / e.radius[2]).square();
  return (distance <= 1).to(at::kDouble);
}

}  // namespace

Tensor head_phantom(std::int64_t size, std::int64_t dimensions) {
  constexpr std::int64_t fine = 2;  // points per pixel along an axis
  const auto points = fine * size;
  const Tensor line =
      (at::arange(points, at::kDouble) + 0.5) * (2.0 / static_cast<double>(points)) - 1;
  const Tensor x = line.view({1, -1});
  const Tensor y = -line.view({-1, 1});
  if (dimensions == 2) {
    Tensor image = at::zeros({points, points}, at::kDouble);
    for (const Ellipsoid& e : head) image += e.density * inside(e, x, y, nullptr);
    return image.view({1, 1, size, fine, size, fine}).mean(at::IntArrayRef{3, 5}).clamp(0, 1);
  }
  Tensor volume = at::zeros({1, 1, size, size, size}, at::kDouble);
  for (std::int64_t slice = 0; slice < points; ++slice) {  // a volume of points would be large
    const Tensor z = line.narrow(0, slice, 1);
    Tensor image = at::zeros({points, points}, at::kDouble);
    for (const Ellipsoid& e : head) image += e.density * inside(e, x, y, &z);
    volume.select(2, slice / fine)
        .add_(image.view({1, 1, size, fine, size, fine}).mean(at::IntArrayRef{3, 5}),
              1.0 / static_cast<double>(fine));
  }
  return volume.clamp(0, 1);
}

Tensor ball_phantom(std::int64_t size) {
  const Tensor line = at::linspace(-1, 1, size, at::kDouble);
  const Tensor squared = (line + 0.1).square();
  const Tensor sine = at::sin(8 * std::numbers::pi * line);
  const Tensor distance = squared + squared.view({-1, 1});
  const Tensor ripple = 0.1 * sine * sine.view({-1, 1});
  Tensor volume = at::empty({1, 1, size, size, size}, at::kDouble);
  for (std::int64_t slice = 0; slice < size; ++slice) {  // each term of a volume would be large
    const Tensor ball = ((distance + squared[slice]).sqrt() < 0.4).to(at::kDouble);
    volume.select(2, slice).copy_(0.8 * ball + 0.3 * line[slice] + 0.3 + ripple * sine[slice]);
  }
  return volume.clamp_(0, 1);
}

Tensor sky_phantom(std::int64_t size, std::uint64_t seed) {
  std::mt19937_64 generator(seed);
  const auto draw = [&] {  // of a uniform distribution, the same with every standard library
    return static_cast<double>(generator() >> 11) * 0x1.0p-53;
  };
  const auto extent = static_cast<double>(size);
  Tensor image = at::zeros({size, size}, at::kDouble);
  const Tensor line = at::arange(size, at::kDouble);
  constexpr int extended = 6;
  for (int i = 0; i < extended; ++i) {
    const Tensor x = line.view({1, -1}) - (0.2 + 0.6 * draw()) * extent;
    const Tensor y = line.view({-1, 1}) - (0.2 + 0.6 * draw()) * extent;
    const double wide = (0.01 + 0.03 * draw()) * extent;
    const double narrow = (0.4 + 0.5 * draw()) * wide;
    const double angle = std::numbers::pi * draw();
    const Tensor u = x * std::cos(angle) + y * std::sin(angle);
    const Tensor v = y * std::cos(angle) - x * std::sin(angle);
    image += (0.1 + 0.3 * draw()) * at::exp(-0.5 * ((u / wide).square() + (v / narrow).square()));
  }
  const auto points = std::max<std::int64_t>(10, size * size / 800);
  for (std::int64_t i = 0; i < points; ++i) {
    const auto row = static_cast<std::int64_t>((0.08 + 0.84 * draw()) * extent);
    const auto column = static_cast<std::int64_t>((0.08 + 0.84 * draw()) * extent);
    // Fluxes over 0.02, twice as many at half the flux: N(> S) ~ 1 / S.
    const double flux = std::min(1.0, 0.02 / (1 - draw()));
    image.select(0, row).select(0, column).add_(flux);
  }
  return (image / image.max()).view({1, 1, size, size});
}
