// SPDX-License-Identifier: BSD-3-Clause
#include "tomography/projector.hpp"

#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "tomography/loops.hpp"

namespace tessera::joseph {

namespace {

using Blocks = std::array<std::vector<RayBlock>, 3>;  // by main axis

constexpr std::int64_t rays_at_a_time = std::int64_t{1} << 18;
constexpr std::int64_t planes_at_a_time = 16;
constexpr std::int64_t most_reach = 8;  // of even rays; beyond, cells are much finer than voxels

/// Rows of the detector in all views, 1 per view in two dimensions.
std::int64_t rows_of(const ScanGeometry& geometry) {
  return geometry.dimensions() == 2 ? 1 : geometry.cells().front();
}

Blocks blocks_of(const ScanGeometry& geometry, const Grid& grid, std::int64_t first_line,
                 std::int64_t last_line) {
  const std::int64_t rows = rows_of(geometry);
  std::vector<std::vector<RayBlock>> lines(static_cast<std::size_t>(last_line - first_line));
  at::parallel_for(first_line, last_line, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t line = begin; line < end; ++line) {
      append_blocks(geometry, grid, line / rows, line % rows,
                    lines[static_cast<std::size_t>(line - first_line)]);
    }
  });
  Blocks blocks;
  for (const std::vector<RayBlock>& line : lines) {
    for (const RayBlock& block : line) {
      blocks[static_cast<std::size_t>(block.axis)].push_back(block);
    }
  }
  return blocks;
}

/// Calls each(blocks) for parts of the rays that fit into caches.
template <typename Each>
void for_parts(const ScanGeometry& geometry, const Grid& grid, const Each& each) {
  const std::int64_t lines = geometry.views() * rows_of(geometry);
  const std::int64_t step = std::max<std::int64_t>(1, rays_at_a_time / geometry.cells().back());
  for (std::int64_t first = 0; first < lines; first += step) {
    each(blocks_of(geometry, grid, first, std::min(lines, first + step)));
  }
}

Extents shape_of(const Tensor& like, at::IntArrayRef views, at::IntArrayRef rest) {
  Extents shape = {like.size(0), like.size(1)};
  shape.insert(shape.end(), views.begin(), views.end());
  shape.insert(shape.end(), rest.begin(), rest.end());
  return shape;
}

/// Room for images (B C, planes, rows, columns) with planes across `axis` and a border of zeros.
Tensor bordered(const Tensor& like, const Grid& grid, std::int64_t axis) {
  Extents shape = {like.size(0) * like.size(1), grid.spatial[static_cast<std::size_t>(axis)]};
  for (std::size_t d = 0; d < grid.spatial.size(); ++d) {
    if (static_cast<std::int64_t>(d) != axis) shape.push_back(grid.spatial[d] + 3);
  }
  return at::zeros(shape, like.options());
}

/// The image in it, (B C, spatial...).
Tensor inside(const Tensor& room, std::int64_t axis) {
  Tensor view = room;
  for (std::int64_t d = 2; d < room.dim(); ++d) view = view.narrow(d, 1, room.size(d) - 3);
  return view.movedim(1, axis + 1);
}

template <typename T, typename Scalar>
Planes<T> planes_of(Scalar* image, const Tensor& room) {
  const bool is_plane = room.dim() == 3;
  const std::int64_t row = room.stride(room.dim() - 2);
  return {image + 1 + (is_plane ? 0 : row), room.stride(1), row, is_plane ? 1 : room.size(2) - 3,
          room.size(-1) - 3};
}

template <typename T>
void project_part(const std::vector<RayBlock>& blocks, const Tensor& room, Tensor& y) {
  const bool is_plane = room.dim() == 3;
  const auto sum = is_plane ? loops<T>().sum_lines : loops<T>().sum_planes;
  const std::int64_t planes = room.size(1);
  const std::int64_t band =
      std::max(planes_at_a_time, (std::int64_t{1} << 17) / room.stride(1));  // stays in caches
  const T* images = room.const_data_ptr<T>();
  T* sums = y.data_ptr<T>();
  const std::int64_t rays = y.numel() / room.size(0);
  const auto count = static_cast<std::int64_t>(blocks.size());
  at::parallel_for(0, count * room.size(0), 1, [&](std::int64_t first, std::int64_t last) {
    while (first < last) {
      const std::int64_t image = first / count;
      const std::int64_t end = std::min(last, (image + 1) * count);
      const auto planes_here = planes_of<const T>(images + image * room.stride(0), room);
      T* out = sums + image * rays;
      const RayBlock* begin_block = blocks.data() + (first - image * count);
      const RayBlock* end_block = blocks.data() + (end - image * count);
      for (std::int64_t plane = 0; plane < planes; plane += band) {
        for (const RayBlock* block = begin_block; block != end_block; ++block) {
          sum(planes_here, *block, std::max(plane, block->begin),
              std::min(plane + band, block->end), out + block->cell);
        }
      }
      for (const RayBlock* block = begin_block; block != end_block; ++block) {
        for (std::int64_t l = 0; l < block->count; ++l) {
          out[block->cell + l] *= static_cast<T>(block->length[l]);
        }
      }
      first = end;
    }
  });
}

/// v with the lengths of the rays.
template <typename T>
void scale(const std::vector<RayBlock>& blocks, Tensor& v, std::int64_t images) {
  T* values = v.data_ptr<T>();
  const std::int64_t rays = v.numel() / images;
  for (std::int64_t image = 0; image < images; ++image) {
    for (const RayBlock& block : blocks) {
      T* out = values + image * rays + block.cell;
      for (std::int64_t l = 0; l < block.count; ++l) out[l] *= static_cast<T>(block.length[l]);
    }
  }
}

template <typename T>
void add_part(const std::vector<RayBlock>& blocks, const Tensor& v, Tensor& room) {
  const auto add = room.dim() == 3 ? loops<T>().add_lines : loops<T>().add_planes;
  const T* values = v.const_data_ptr<T>();
  const std::int64_t rays = v.numel() / room.size(0);
  at::parallel_for(0, room.size(1), 1, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t image = 0; image < room.size(0); ++image) {
      const auto out = planes_of<T>(room.data_ptr<T>() + image * room.stride(0), room);
      for (std::int64_t begin = first; begin < last; begin += planes_at_a_time) {
        const std::int64_t end = std::min(last, begin + planes_at_a_time);
        for (const RayBlock& block : blocks) {
          const std::int64_t start = std::max(begin, block.begin);
          const std::int64_t stop = std::min(end, block.end);
          if (start >= stop) continue;
          add(values + image * rays + block.cell, block, start, stop, out);
        }
      }
    }
  });
}

/// One view of parallel rays in the plane.
struct EvenView {
  EvenRays at_zero;  ///< in plane 0
  double slope;
  std::int64_t cell;  ///< its first one among all
};

/// The views of this axis, whole: with parallel rays one of a view has the axis of all.
std::vector<EvenView> even_views(const std::vector<RayBlock>& blocks, std::int64_t cells) {
  std::vector<EvenView> views;
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    const RayBlock& block = blocks[i];
    if (block.cell % cells != 0) continue;
    // From the first cell to the last, so that the distance of neighbours is precise.
    const RayBlock& last = blocks[i + static_cast<std::size_t>((cells - 1) / RayBlock::most)];
    const double step = cells == 1 ? 1
                                   : (last.start[1][last.count - 1] - block.start[1][0]) /
                                         static_cast<double>(cells - 1);
    const auto reach = static_cast<std::int64_t>(std::ceil(1 / std::abs(step) - 1e-9));
    views.push_back({{block.start[1][0], step, cells, std::max<std::int64_t>(1, reach)},
                     block.slope[1][0],
                     block.cell});
  }
  return views;
}

std::int64_t largest_reach(const std::vector<EvenView>& views) {
  std::int64_t largest = 0;
  for (const EvenView& view : views) largest = std::max(largest, view.at_zero.reach);
  return largest;
}

template <typename T>
void add_even_views(const std::vector<EvenView>& views, const Tensor& v, Tensor& room) {
  const std::int64_t cells = v.size(-1);
  const std::int64_t border = 2 * largest_reach(views);
  Tensor padded = at::zeros({room.size(0), v.size(-2), cells + 2 * border}, v.options());
  padded.narrow(2, border, cells).copy_(v.flatten(0, 1));
  const T* values = padded.const_data_ptr<T>() + border;
  at::parallel_for(0, room.size(1), 1, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t image = 0; image < room.size(0); ++image) {
      const auto out = planes_of<T>(room.data_ptr<T>() + image * room.stride(0), room);
      for (std::int64_t begin = first; begin < last; begin += planes_at_a_time) {
        const std::int64_t end = std::min(last, begin + planes_at_a_time);
        for (const EvenView& view : views) {
          const T* row = values + image * padded.stride(0) + view.cell / cells * padded.stride(1);
          EvenRays rays = view.at_zero;
          for (std::int64_t plane = begin; plane < end; ++plane) {
            rays.start = view.at_zero.start + view.slope * static_cast<double>(plane);
            loops<T>().add_even(row, rays, out.columns, out.data + plane * out.plane);
          }
        }
      }
    }
  });
}

}  // namespace

Tensor project(const ScanGeometry& geometry, const Grid& grid, const Tensor& x) {
  Tensor y = at::zeros(shape_of(x, {geometry.views()}, geometry.cells()), x.options());
  std::array<Tensor, 3> rooms;
  for_parts(geometry, grid, [&](const Blocks& blocks) {
    for (std::size_t axis = 0; axis < 3; ++axis) {
      if (blocks[axis].empty()) continue;
      if (!rooms[axis].defined()) {
        const auto a = static_cast<std::int64_t>(axis);
        rooms[axis] = bordered(x, grid, a);
        inside(rooms[axis], a).copy_(x.flatten(0, 1));
      }
      AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "tomography",
                                 [&] { project_part<scalar_t>(blocks[axis], rooms[axis], y); });
    }
  });
  return y;
}

Tensor project_back(const ScanGeometry& geometry, const Grid& grid, const Tensor& v) {
  Tensor x = at::zeros(shape_of(v, {}, grid.spatial), v.options());
  Tensor scaled = v.clone(at::MemoryFormat::Contiguous);
  const bool is_even = geometry.dimensions() == 2 && geometry.parallel_rays();
  std::array<Tensor, 3> rooms;
  for_parts(geometry, grid, [&](const Blocks& blocks) {
    for (std::size_t axis = 0; axis < 3; ++axis) {
      if (blocks[axis].empty()) continue;
      Tensor& room = rooms[axis];
      if (!room.defined()) room = bordered(v, grid, static_cast<std::int64_t>(axis));
      AT_DISPATCH_FLOATING_TYPES(v.scalar_type(), "tomography", [&] {
        scale<scalar_t>(blocks[axis], scaled, room.size(0));
        const std::vector<EvenView> even =
            is_even ? even_views(blocks[axis], v.size(-1)) : std::vector<EvenView>();
        if (is_even && largest_reach(even) <= most_reach) {
          add_even_views<scalar_t>(even, scaled, room);
        } else {
          add_part<scalar_t>(blocks[axis], scaled, room);
        }
      });
    }
  });
  for (std::size_t axis = 0; axis < 3; ++axis) {
    if (!rooms[axis].defined()) continue;
    x.flatten(0, 1).add_(inside(rooms[axis], static_cast<std::int64_t>(axis)));
  }
  return x;
}

}  // namespace tessera::joseph
