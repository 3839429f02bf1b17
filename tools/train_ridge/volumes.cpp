// SPDX-License-Identifier: BSD-3-Clause
#include "volumes.hpp"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/fft_fftfreq.h>
#include <ATen/ops/fft_irfftn.h>
#include <ATen/ops/fft_rfftfreq.h>
#include <ATen/ops/fft_rfftn.h>
#include <ATen/ops/full.h>
#include <ATen/ops/linalg_qr.h>
#include <ATen/ops/linspace.h>
#include <ATen/ops/minimum.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <optional>
#include <tuple>
#include <utility>

#include "tessera/core/error.hpp"

using tessera::Tensor;

namespace {

constexpr std::int64_t extent = 48;

/// The random numbers of one volume.
class Random {
 public:
  explicit Random(std::uint64_t seed) : generator_(at::detail::createCPUGenerator(seed)) {}

  Tensor uniform(at::IntArrayRef shape) { return at::rand(shape, source(), at::kFloat); }
  Tensor normal(at::IntArrayRef shape) { return at::randn(shape, source(), at::kFloat); }
  double between(double low, double high) {
    return low + (high - low) * uniform({1}).item<double>();
  }
  /// low to high, both included.
  std::int64_t count(std::int64_t low, std::int64_t high) {
    const double span = static_cast<double>(high - low + 1);
    return std::min(low + static_cast<std::int64_t>(between(0, span)), high);
  }
  /// Uniform in its logarithm.
  double scale(double low, double high) { return std::exp(between(std::log(low), std::log(high))); }

 private:
  std::optional<at::Generator> source() const { return generator_; }

  at::Generator generator_;
};

/// Coordinates of the voxels along one axis, of a shape to be broadcast.
Tensor along(std::int64_t axis, const Tensor& values) {
  std::array<std::int64_t, 3> shape{1, 1, 1};
  shape[static_cast<std::size_t>(axis)] = values.numel();
  return values.view(shape);
}

/// |f|^2 in squared cycles per voxel, each axis stretched by its factor.
Tensor squared_frequencies(const std::array<double, 3>& stretch) {
  const Tensor full = at::fft_fftfreq(extent, 1.0);
  return along(0, full * stretch[0]).square() + along(1, full * stretch[1]).square() +
         along(2, at::fft_rfftfreq(extent, 1.0) * stretch[2]).square();
}

Tensor filtered(const Tensor& volume, const Tensor& response) {
  const std::array<std::int64_t, 3> extents{extent, extent, extent};
  const std::array<std::int64_t, 3> axes{0, 1, 2};
  return at::fft_irfftn(at::fft_rfftn(volume, {}, axes) * response, at::IntArrayRef(extents),
                        at::IntArrayRef(axes));
}

/// Of mean 0 and standard deviation 1.
Tensor filtered_noise(Random& random, const Tensor& response) {
  const Tensor noise = filtered(random.normal({extent, extent, extent}), response);
  return (noise - noise.mean()) / noise.std();
}

Tensor smooth_noise(Random& random) {
  const double cut = random.scale(0.02, 0.06);
  return filtered_noise(random, (squared_frequencies({1, 1, 1}) / (-2 * cut * cut)).exp());
}

Tensor regions(Random& random) {
  const std::int64_t count = random.count(2, 6);
  const Tensor labels =
      (at::sigmoid(1.7 * smooth_noise(random)) * count).to(at::kLong).clamp(0, count - 1);
  return random.uniform({count}).index_select(0, labels.flatten()).view(labels.sizes());
}

void add_ellipsoid(Random& random, Tensor& volume) {
  const Tensor turn = std::get<0>(at::linalg_qr(random.normal({3, 3})));
  const Tensor centre = random.uniform({3}) * extent;
  const double size = random.scale(2, 14);
  const Tensor radii = size * (random.uniform({3}) * 1.2 + 0.4);
  const Tensor places = at::arange(extent, at::kFloat);
  Tensor distance = at::full({extent, extent, extent}, 0.0, at::kFloat);
  for (std::int64_t row = 0; row < 3; ++row) {
    Tensor coordinate = at::full({1, 1, 1}, 0.0, at::kFloat);
    for (std::int64_t axis = 0; axis < 3; ++axis) {
      coordinate = coordinate + along(axis, (places - centre[axis]) * turn[row][axis]);
    }
    distance += (coordinate / radii[row]).square();
  }
  const Tensor inside = at::sigmoid((1 - distance.sqrt()) * (radii.min() * 4));
  volume = volume + inside * random.between(0.3, 1) * (random.between(0, 1) - volume);
}

/// A parabola with a round cross-section.
void add_tube(Random& random, Tensor& volume) {
  constexpr std::int64_t samples = 40;
  const Tensor start = random.uniform({3}) * extent;
  const Tensor direction = random.normal({3});
  const Tensor bend = random.normal({3}) * random.between(0, 0.6);
  const Tensor unit = direction / direction.norm();
  const double radius = random.scale(0.7, 3);
  const double edge = 0.35;
  const Tensor places = at::arange(extent, at::kFloat);
  Tensor nearest = at::full({extent, extent, extent}, 1e6, at::kFloat);
  for (std::int64_t sample = 0; sample < samples; ++sample) {
    const double t = 2 * (static_cast<double>(sample) + 0.5) / samples - 1;
    const Tensor centre = start + (0.7 * extent) * (t * unit + t * t * bend);
    nearest = at::minimum(nearest, along(0, places - centre[0]).square() +
                                       along(1, places - centre[1]).square() +
                                       along(2, places - centre[2]).square());
  }
  const Tensor inside = at::sigmoid((radius - nearest.sqrt()) / edge);
  volume = volume + inside * (random.between(0, 1) - volume);
}

void add_texture(Random& random, Tensor& volume) {
  const double middle = random.scale(0.06, 0.35);
  const double width = middle * random.between(0.2, 0.6);
  const std::array<double, 3> stretch{random.scale(0.6, 1.6), random.scale(0.6, 1.6),
                                      random.scale(0.6, 1.6)};
  const Tensor response =
      ((squared_frequencies(stretch).sqrt() - middle) / width).square().mul(-0.5).exp();
  const Tensor where = at::sigmoid(4 * smooth_noise(random));
  volume = volume + random.scale(0.02, 0.12) * where * filtered_noise(random, response);
}

/// A round spot whose intensity falls off as a Gaussian, as a nucleus under a microscope.
void add_blob(Random& random, Tensor& volume) {
  const Tensor centre = random.uniform({3}) * extent;
  const double size = random.scale(1, 4);
  const Tensor widths = size * (random.uniform({3}) * 0.6 + 0.7);
  const Tensor places = at::arange(extent, at::kFloat);
  Tensor spot = at::full({1, 1, 1}, random.between(0.1, 0.6), at::kFloat);
  for (std::int64_t axis = 0; axis < 3; ++axis) {
    const Tensor distance = along(axis, (places - centre[axis]) / widths[axis]);
    spot = spot * (distance.square() * -0.5).exp();
  }
  volume = volume + spot;
}

/// A product of sines, one along each axis, as in the volume of the benchmark family.
void add_lattice(Random& random, Tensor& volume) {
  const Tensor places = at::arange(extent, at::kFloat);
  const double frequency = 2 * std::numbers::pi * random.scale(0.04, 0.15);
  Tensor lattice = at::full({1, 1, 1}, random.scale(0.03, 0.15), at::kFloat);
  for (std::int64_t axis = 0; axis < 3; ++axis) {
    const double phase = random.between(0, 2 * std::numbers::pi);
    lattice = lattice * along(axis, (places * frequency + phase).sin());
  }
  volume = volume + lattice;
}

Tensor blurred(Random& random, const Tensor& volume) {
  const double blur = 2 * std::numbers::pi * random.between(0.3, 0.7);
  return filtered(volume, (squared_frequencies({1, 1, 1}) * (-0.5 * blur * blur)).exp())
      .view({1, 1, extent, extent, extent});
}

double mean_slope(const Tensor& crop) {
  double sum = 0;
  for (std::int64_t axis = 0; axis < 3; ++axis) {
    sum += crop.diff(1, axis).abs().mean().item<double>();
  }
  return sum;
}

}  // namespace

Tensor random_volume(std::uint64_t seed) {
  Random random(seed);
  Tensor volume = regions(random);
  const std::int64_t ellipsoids = random.count(4, 14);
  for (std::int64_t i = 0; i < ellipsoids; ++i) add_ellipsoid(random, volume);
  const std::int64_t tubes = random.count(2, 8);
  for (std::int64_t i = 0; i < tubes; ++i) add_tube(random, volume);
  add_texture(random, volume);
  return blurred(random, volume);
}

Tensor smooth_volume(std::uint64_t seed) {
  Random random(seed);
  const double steps = random.between(0, 0.5);
  const double waves = random.between(0, 0.15);
  Tensor volume = 0.4 + steps * (regions(random) - 0.5);
  volume = volume + waves * smooth_noise(random);
  const std::int64_t ellipsoids = random.count(0, 3);
  for (std::int64_t i = 0; i < ellipsoids; ++i) add_ellipsoid(random, volume);
  if (random.count(0, 1) == 0) {
    const std::int64_t blobs = random.count(10, 80);
    for (std::int64_t i = 0; i < blobs; ++i) add_blob(random, volume);
  } else {
    add_lattice(random, volume);
  }
  return blurred(random, volume.clamp(0, 1));
}

Tensor benchmark_volume() {
  const Tensor grid = at::linspace(-1, 1, extent, at::kFloat);
  Tensor radius = at::zeros({1, 1, 1}, at::kFloat);
  Tensor lattice = at::full({1, 1, 1}, 0.1, at::kFloat);
  for (std::int64_t axis = 0; axis < 3; ++axis) {
    radius = radius + along(axis, grid + 0.1).square();
    lattice = lattice * along(axis, (8 * std::numbers::pi * grid).sin());
  }
  const Tensor ball = (radius.sqrt() < 0.4).to(at::kFloat);
  const Tensor volume = 0.8 * ball + 0.3 * along(0, grid) + 0.3 + lattice;
  return volume.clamp(0, 1).view({1, 1, extent, extent, extent});
}

Volumes::Volumes(std::int64_t count, std::uint64_t first) {
  for (std::int64_t i = 0; i < count; ++i) {
    const std::uint64_t seed = first + static_cast<std::uint64_t>(i);
    volumes_.push_back((i % 2 == 0 ? random_volume(seed) : smooth_volume(seed))[0][0]);
  }
}

Tensor Volumes::draw(std::int64_t count, std::int64_t crop, at::Generator& generator) const {
  if (crop > extent) {
    throw tessera::error::InvalidArgument(
        fmt::format("--crop: is {}, expected at most {} for volumes", crop, extent));
  }
  const Tensor uniform = at::rand({count, 10}, std::optional<at::Generator>(generator),
                                  at::TensorOptions(at::kDouble));
  const auto random = uniform.accessor<double, 2>();
  const auto choice = [](double number, std::int64_t choices) {
    return std::min(static_cast<std::int64_t>(number * static_cast<double>(choices)), choices - 1);
  };
  Tensor crops = at::empty({count, 1, crop, crop, crop}, at::kFloat);
  for (std::int64_t index = 0; index < count; ++index) {
    const auto numbers = random[index];
    const Tensor& volume = volumes_[static_cast<std::size_t>(
        choice(numbers[0], static_cast<std::int64_t>(volumes_.size())))];
    const auto window = [&](std::int64_t first) {
      Tensor part = volume;
      for (std::int64_t axis = 0; axis < 3; ++axis) {
        part = part.narrow(axis, choice(numbers[first + axis], extent - crop + 1), crop);
      }
      return part;
    };
    Tensor chosen = window(1);
    const Tensor other = window(4);
    if (mean_slope(other) > mean_slope(chosen)) chosen = other;
    chosen = chosen.transpose(0, choice(numbers[7], 3)).transpose(1, 1 + choice(numbers[8], 2));
    const std::int64_t mirror = choice(numbers[9], 8);
    for (std::int64_t axis = 0; axis < 3; ++axis) {
      if (((mirror >> axis) & 1) != 0) chosen = chosen.flip(axis);
    }
    crops[index][0].copy_(chosen);
  }
  return crops;
}
