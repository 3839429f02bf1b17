// SPDX-License-Identifier: BSD-3-Clause
#include "restoration/scene.hpp"

#include <ATen/ops/cat.h>
#include <ATen/ops/clamp.h>
#include <ATen/ops/linspace.h>
#include <ATen/ops/sin.h>
#include <ATen/ops/stack.h>

#include <algorithm>
#include <array>
#include <vector>

namespace restoration {

using tessera::Tensor;

namespace {

struct Disc {
  double x, y, radius;  // in units of the width
  std::array<double, 3> colour;
};

constexpr std::array<Disc, 7> discs = {{{0.20, 0.18, 0.12, {0.85, 0.32, 0.24}},
                                        {0.30, 0.26, 0.08, {0.95, 0.75, 0.30}},
                                        {0.50, 0.40, 0.14, {0.22, 0.45, 0.65}},
                                        {0.53, 0.36, 0.05, {0.93, 0.93, 0.88}},
                                        {0.76, 0.20, 0.10, {0.30, 0.60, 0.38}},
                                        {0.83, 0.26, 0.03, {0.12, 0.12, 0.16}},
                                        {0.12, 0.48, 0.06, {0.60, 0.42, 0.70}}}};

/// Rows [first, last) of the scene, of all columns: (3, last - first, size), float64.
Tensor rows_of_scene(std::int64_t size, std::int64_t first, std::int64_t last) {
  const auto options = at::TensorOptions().dtype(at::kDouble);
  const Tensor x = at::linspace(0, 1, size, options).view({1, -1});
  const Tensor y = at::linspace(0, 0.625, scene_extents(size)[0], options)
                       .narrow(0, first, last - first)
                       .view({-1, 1});

  // Soft ground, then each disc over it; an edge is two pixels wide.
  std::array<Tensor, 3> channels;
  for (std::size_t c = 0; c < channels.size(); ++c) {
    channels[c] = 0.55 + 0.20 * at::sin(3 * x + 4 * y + static_cast<double>(c)) + 0.10 * (x - y);
  }
  for (const Disc& disc : discs) {
    const Tensor distance = ((x - disc.x).square() + (y - disc.y).square()).sqrt();
    const Tensor inside =
        at::clamp((disc.radius - distance) * static_cast<double>(size) / 2 + 0.5, 0, 1);
    for (std::size_t c = 0; c < channels.size(); ++c) {
      channels[c] = channels[c] + inside * (disc.colour[c] - channels[c]);
    }
  }
  // Four gratings along the lower edge, each twice as fine as the one before.
  for (int band = 0; band < 4; ++band) {
    const double left = 0.28 + 0.17 * band;
    const Tensor there = ((x > left) & (x < left + 0.14) & (y > 0.54) & (y < 0.60)).to(at::kDouble);
    const Tensor wave = 0.5 + 0.4 * at::sin(x * (6.2831853 * 25 * (1 << band)));
    for (Tensor& channel : channels) channel = channel + there * (wave - channel);
  }
  return at::stack({channels[0], channels[1], channels[2]});
}

}  // namespace

tessera::Extents scene_extents(std::int64_t size) {
  return {std::max<std::int64_t>(1, size * 5 / 8), size};
}

Tensor synthetic_scene(std::int64_t size) {
  return synthetic_scene(size, tessera::whole_box(scene_extents(size)));
}

Tensor synthetic_scene(std::int64_t size, const tessera::Box& box) {
  constexpr std::int64_t band =
      64;  // always the same rows at once, so that a box has the same bits
  const tessera::Interval rows = box.axes[0];
  const tessera::Interval columns = box.axes[1];
  std::vector<Tensor> bands;
  for (std::int64_t top = rows.begin / band * band; top < rows.end; top += band) {
    const Tensor all = rows_of_scene(size, top, std::min(top + band, scene_extents(size)[0]));
    const std::int64_t first = std::max<std::int64_t>(0, rows.begin - top);
    bands.push_back(all.narrow(1, first, std::min(all.size(1), rows.end - top) - first)
                        .narrow(2, columns.begin, columns.length())
                        .clamp(0, 1)
                        .to(at::kFloat));
  }
  return at::cat(bands, 1).unsqueeze(0);
}

}  // namespace restoration
