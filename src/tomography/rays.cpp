// SPDX-License-Identifier: BSD-3-Clause
#include "tomography/rays.hpp"

#include <algorithm>
#include <cmath>

#include "tomography/vectors.hpp"

namespace tessera::joseph {

namespace {

struct Ray {
  std::int64_t axis;
  std::array<double, 2> start, slope;
  double length;
};

double middle(std::int64_t count) {
  return static_cast<double>(count - 1) / 2;
}

/// The axes of an image other than `axis`, at d = 0 and 1; -1 where there is none.
std::array<std::int64_t, 2> others(std::int64_t axis, std::int64_t dimensions) {
  if (dimensions == 2) return {-1, 1 - axis};
  return {axis == 0 ? 1 : 0, axis == 2 ? 1 : 2};
}

Ray ray_to(const WorldVector& cell, const WorldVector& direction, const Grid& grid) {
  const auto dimensions = static_cast<std::int64_t>(grid.spatial.size());
  const auto along = [&](const WorldVector& vector, std::int64_t axis) {
    return vector[static_cast<std::size_t>(dimensions - 1 - axis)];
  };
  const auto position = [&](std::int64_t axis) {
    return along(cell, axis) / grid.voxel + middle(grid.spatial[static_cast<std::size_t>(axis)]);
  };
  Ray ray{0, {0, 0}, {0, 0}, 0};
  for (std::int64_t axis = 1; axis < dimensions; ++axis) {
    if (std::abs(along(direction, axis)) >= std::abs(along(direction, ray.axis))) ray.axis = axis;
  }
  const double speed = along(direction, ray.axis);
  ray.length = grid.voxel * length(direction) / std::abs(speed);
  const std::array<std::int64_t, 2> other = others(ray.axis, dimensions);
  for (std::size_t d = 0; d < 2; ++d) {
    if (other[d] < 0) continue;
    ray.slope[d] = along(direction, other[d]) / speed;
    ray.start[d] = position(other[d]) - ray.slope[d] * position(ray.axis);
  }
  return ray;
}

struct Span {
  std::int64_t begin, end;
};

/// Those of the planes in which start + slope i lies between -1 and n, and some beside.
Span inside(double start, double slope, std::int64_t n, Span planes) {
  const double low = -1 - start;
  const double high = static_cast<double>(n) - start;
  if (std::abs(slope) < 1e-12) return low <= 0 && 0 <= high ? planes : Span{0, 0};
  const double first = std::min(low / slope, high / slope);
  const double last = std::max(low / slope, high / slope);
  const auto bounded = [&](double plane) {
    return std::clamp(plane, static_cast<double>(planes.begin), static_cast<double>(planes.end));
  };
  return {static_cast<std::int64_t>(std::floor(bounded(first))),
          static_cast<std::int64_t>(std::ceil(bounded(last + 1)))};
}

void append(const Ray& ray, const Grid& grid, RayBlock& block) {
  const auto dimensions = static_cast<std::int64_t>(grid.spatial.size());
  const std::int64_t l = block.count++;
  Span planes{0, grid.spatial[static_cast<std::size_t>(ray.axis)]};
  for (std::size_t d = 0; d < 2; ++d) {
    block.start[d][l] = ray.start[d];
    block.slope[d][l] = ray.slope[d];
    const std::int64_t other = others(ray.axis, dimensions)[d];
    if (other < 0) continue;
    planes =
        inside(ray.start[d], ray.slope[d], grid.spatial[static_cast<std::size_t>(other)], planes);
  }
  block.length[l] = ray.length;
  if (planes.begin >= planes.end) return;
  const bool is_first = block.begin >= block.end;
  block.begin = is_first ? planes.begin : std::min(block.begin, planes.begin);
  block.end = is_first ? planes.end : std::max(block.end, planes.end);
}

}  // namespace

void append_blocks(const ScanGeometry& geometry, const Grid& grid, std::int64_t view,
                   std::int64_t row, std::vector<RayBlock>& blocks) {
  const ScanGeometry::View& from = geometry.view(view);
  const std::int64_t columns = geometry.cells().back();
  const std::int64_t rows = geometry.dimensions() == 2 ? 1 : geometry.cells().front();
  const std::int64_t first = (view * rows + row) * columns;
  const WorldVector middle_of_row =
      from.centre + (static_cast<double>(row) - middle(rows)) * from.v;
  bool is_new = true;
  for (std::int64_t column = 0; column < columns; ++column) {
    const WorldVector cell =
        middle_of_row + (static_cast<double>(column) - middle(columns)) * from.u;
    const Ray ray = ray_to(cell, geometry.parallel_rays() ? from.source : cell - from.source, grid);
    is_new = is_new || ray.axis != blocks.back().axis || blocks.back().count == RayBlock::most;
    if (is_new) {
      blocks.emplace_back();
      blocks.back().axis = ray.axis;
      blocks.back().cell = first + column;
    }
    append(ray, grid, blocks.back());
    is_new = false;
  }
}

}  // namespace tessera::joseph
