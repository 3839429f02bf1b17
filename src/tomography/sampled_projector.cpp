// SPDX-License-Identifier: BSD-3-Clause
#include <ATen/ops/arange.h>
#include <ATen/ops/grid_sampler_2d.h>
#include <ATen/ops/grid_sampler_2d_backward.h>
#include <ATen/ops/grid_sampler_3d.h>
#include <ATen/ops/grid_sampler_3d_backward.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <tuple>

#include "tomography/projector.hpp"

namespace tessera::joseph {

namespace {

constexpr std::int64_t samples_at_a_time = std::int64_t{1} << 24;

/// Rays of one main axis.
struct Samples {
  Tensor cells;    ///< indices among those of the view
  Tensor lengths;  ///< of each ray between two planes
  Tensor points;   ///< (rays, planes, d), as at::grid_sampler takes them
};

Tensor from_middle(std::int64_t count, const at::TensorOptions& options) {
  return at::arange(count, options) - static_cast<double>(count - 1) / 2;
}

Tensor vector_of(const WorldVector& vector, std::int64_t dimensions,
                 const at::TensorOptions& options) {
  const std::vector<double> axes(vector.rbegin() + (3 - dimensions), vector.rend());
  return at::tensor(axes, at::kDouble).to(options);
}

/// Calls each(samples) for parts of the rays of a view.
template <typename Each>
void for_samples(const ScanGeometry& geometry, const Grid& grid, std::int64_t view,
                 const Tensor& like, const Each& each) {
  const auto options = like.options().dtype(at::kDouble);
  const std::int64_t d = geometry.dimensions();
  const ScanGeometry::View& from = geometry.view(view);
  Tensor cell =
      vector_of(from.centre, d, options) +
      from_middle(geometry.cells().back(), options).unsqueeze(1) * vector_of(from.u, d, options);
  if (d == 3) {
    cell = (from_middle(geometry.cells().front(), options).view({-1, 1, 1}) *
                vector_of(from.v, d, options) +
            cell)
               .flatten(0, 1);
  }
  const Tensor source = vector_of(from.source, d, options);
  const Tensor direction = geometry.parallel_rays() ? source.expand_as(cell) : cell - source;
  const Tensor speeds = direction.abs();
  for (std::int64_t axis = 0; axis < d; ++axis) {
    Tensor is_main = speeds.select(1, axis) > 0;
    for (std::int64_t other = 0; other < d; ++other) {
      const Tensor mine = speeds.select(1, axis);
      if (other < axis) is_main = is_main & (mine >= speeds.select(1, other));
      if (other > axis) is_main = is_main & (mine > speeds.select(1, other));
    }
    const Tensor all = is_main.nonzero().squeeze(1);
    const std::int64_t planes = grid.spatial[static_cast<std::size_t>(axis)];
    const std::int64_t step = std::max<std::int64_t>(1, samples_at_a_time / planes);
    for (std::int64_t first = 0; first < all.size(0); first += step) {
      const Tensor cells = all.slice(0, first, first + step);
      const Tensor ways = direction.index_select(0, cells);
      const Tensor ends = cell.index_select(0, cells) / grid.voxel;
      const Tensor speed = ways.select(1, axis).unsqueeze(1);
      const Tensor steps = from_middle(planes, options) - ends.select(1, axis).unsqueeze(1);
      TensorList along;  // from the middle of the image, last axis first
      for (std::int64_t k = d; k-- > 0;) {
        const auto n = static_cast<double>(grid.spatial[static_cast<std::size_t>(k)]);
        const Tensor position =
            ends.select(1, k).unsqueeze(1) +
            (k == axis ? steps : ways.select(1, k).unsqueeze(1) / speed * steps);
        along.push_back(2 / n * position);
      }
      const Tensor lengths = grid.voxel * ways.square().sum(1).sqrt() / speed.squeeze(1).abs();
      each(Samples{cells, lengths.to(like.scalar_type()),
                   at::stack(along, -1).to(like.scalar_type())});
    }
  }
}

/// As at::grid_sampler takes them for a batch: (B, rays, planes, 2) or (B, rays, planes, 1, 3).
Tensor batched(const Tensor& points, std::int64_t batch) {
  const Tensor one = points.size(-1) == 2 ? points : points.unsqueeze(2);
  Extents shape = one.sizes().vec();
  shape.insert(shape.begin(), batch);
  return one.unsqueeze(0).expand(shape);
}

}  // namespace

Tensor sampled_project(const ScanGeometry& geometry, const Grid& grid, const Tensor& x) {
  Extents shape = {x.size(0), x.size(1), geometry.views()};
  shape.insert(shape.end(), geometry.cells().begin(), geometry.cells().end());
  Tensor y = at::zeros(shape, x.options());
  for (std::int64_t view = 0; view < geometry.views(); ++view) {
    Tensor cells = y.select(2, view).flatten(2);  // a copy where the view is not contiguous
    for_samples(geometry, grid, view, x, [&](const Samples& samples) {
      const Tensor points = batched(samples.points, x.size(0));
      const Tensor values = x.dim() == 4 ? at::grid_sampler_2d(x, points, 0, 0, false)
                                         : at::grid_sampler_3d(x, points, 0, 0, false).squeeze(-1);
      cells.index_copy_(2, samples.cells, values.sum(-1) * samples.lengths);
    });
    y.select(2, view).copy_(cells.view_as(y.select(2, view)));
  }
  return y;
}

Tensor sampled_project_back(const ScanGeometry& geometry, const Grid& grid, const Tensor& v) {
  Extents shape = {v.size(0), v.size(1)};
  shape.insert(shape.end(), grid.spatial.begin(), grid.spatial.end());
  Tensor x = at::zeros(shape, v.options());
  for (std::int64_t view = 0; view < geometry.views(); ++view) {
    const Tensor cells = v.select(2, view).flatten(2);
    for_samples(geometry, grid, view, v, [&](const Samples& samples) {
      const Tensor points = batched(samples.points, v.size(0));
      const Tensor values = cells.index_select(2, samples.cells) * samples.lengths;
      Extents sizes = {v.size(0), v.size(1)};
      sizes.insert(sizes.end(), points.sizes().begin() + 1, points.sizes().end() - 1);
      const Tensor spread = x.dim() == 4 ? values.unsqueeze(-1).expand(sizes)
                                         : values.unsqueeze(-1).unsqueeze(-1).expand(sizes);
      // The second argument tells the image's shape alone.
      x.add_(std::get<0>(
          x.dim() == 4
              ? at::grid_sampler_2d_backward(spread, x, points, 0, 0, false, {true, false})
              : at::grid_sampler_3d_backward(spread, x, points, 0, 0, false, {true, false})));
    });
  }
  return x;
}

}  // namespace tessera::joseph
