// SPDX-License-Identifier: BSD-3-Clause
#include <ATen/ops/arange.h>
#include <ATen/ops/ceil.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cstddef>
#include <numbers>

#include "fourier/gridding.hpp"

namespace tessera::fourier {

namespace {

/// Bounds the memory for indices and weights.
constexpr std::int64_t points_at_a_time = 1 << 20;

/// Along one axis: the cells (points, width) that each point's kernel covers, and their weights.
struct Taps {
  Tensor cells;
  Tensor weights;
};

Taps taps_along(const Tensor& radians, std::int64_t cells, const GriddingKernel& kernel,
                at::ScalarType type) {
  const Tensor turns = radians / (2 * std::numbers::pi);
  const Tensor begin = (turns - turns.floor()) * static_cast<double>(cells) - 0.5 * kernel.width();
  const Tensor first = at::ceil(begin);
  const Tensor u = (2 * (first - begin) - 1).unsqueeze(1);
  const std::int64_t width = kernel.width();
  const Tensor coefficients =
      at::tensor(kernel.coefficients(), at::kDouble).view({-1, width}).to(radians.device());
  Tensor weights = coefficients[0].unsqueeze(0);
  for (std::int64_t row = 1; row < coefficients.size(0); ++row) {
    weights = weights * u + coefficients[row];
  }
  const Tensor offsets = at::arange(width, first.options().dtype(at::kLong));
  return {(first.to(at::kLong).unsqueeze(1) + offsets).remainder(cells), weights.to(type)};
}

/// Calls visit(first point, how many, cell of each, weight of each) for all combinations of taps.
template <typename Visit>
void for_each_tap(const Tensor& points, const Extents& grid, const GriddingKernel& kernel,
                  at::ScalarType type, const Visit& visit) {
  for (std::int64_t start = 0; start < points.size(0); start += points_at_a_time) {
    const std::int64_t count = std::min(points_at_a_time, points.size(0) - start);
    std::vector<Taps> axes;
    std::int64_t combinations = 1;
    for (std::size_t a = 0; a < grid.size(); ++a) {
      const Tensor radians = points.narrow(0, start, count).select(1, static_cast<std::int64_t>(a));
      axes.push_back(taps_along(radians, grid[a], kernel, type));
      combinations *= kernel.width();
    }
    for (std::int64_t combination = 0; combination < combinations; ++combination) {
      Tensor cell;
      Tensor weight;
      std::int64_t rest = combination;
      for (std::size_t a = 0; a < grid.size(); ++a, rest /= kernel.width()) {
        const Tensor along = axes[a].cells.select(1, rest % kernel.width());
        const Tensor share = axes[a].weights.select(1, rest % kernel.width());
        cell = a == 0 ? along : cell * grid[a] + along;
        weight = a == 0 ? share : weight * share;
      }
      visit(start, count, cell, weight);
    }
  }
}

}  // namespace

Tensor interpolated(const Tensor& grid, const Tensor& points, const GriddingKernel& kernel) {
  const Extents extents = grid.sizes().slice(1).vec();
  const Tensor cells = grid.flatten(1);
  Tensor values = at::zeros({grid.size(0), points.size(0)}, grid.options());
  for_each_tap(
      points, extents, kernel, c10::toRealValueType(grid.scalar_type()),
      [&](std::int64_t start, std::int64_t count, const Tensor& cell, const Tensor& weight) {
        values.narrow(1, start, count).add_(cells.index_select(1, cell) * weight);
      });
  return values;
}

Tensor spread(const Tensor& values, const Tensor& points, const Extents& grid,
              const GriddingKernel& kernel) {
  Tensor cells = at::zeros({values.size(0), c10::multiply_integers(grid)}, values.options());
  for_each_tap(
      points, grid, kernel, c10::toRealValueType(values.scalar_type()),
      [&](std::int64_t start, std::int64_t count, const Tensor& cell, const Tensor& weight) {
        cells.index_add_(1, cell, values.narrow(1, start, count) * weight);
      });
  Extents shape = {values.size(0)};
  shape.insert(shape.end(), grid.begin(), grid.end());
  return cells.view(shape);
}

}  // namespace tessera::fourier
