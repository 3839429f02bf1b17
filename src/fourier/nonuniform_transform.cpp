// SPDX-License-Identifier: BSD-3-Clause
#include "fourier/nonuniform_transform.hpp"

#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/fft_fft.h>
#include <ATen/ops/fft_ifft.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cstddef>
#include <utility>

#include "fourier/gridding.hpp"
#include "tessera/physics/detail/convolution.hpp"

namespace tessera::fourier {

Tensor wrapped(const Tensor& z, std::int64_t axis, std::int64_t cells) {
  const std::int64_t n = z.size(axis);
  Extents between = z.sizes().vec();
  between[static_cast<std::size_t>(axis)] = cells - n;
  return at::cat(
      {z.narrow(axis, n / 2, n - n / 2), at::zeros(between, z.options()), z.narrow(axis, 0, n / 2)},
      axis);
}

Tensor unwrapped(const Tensor& z, std::int64_t axis, std::int64_t pixels) {
  const std::int64_t before = pixels / 2;
  return at::cat(
      {z.narrow(axis, z.size(axis) - before, before), z.narrow(axis, 0, pixels - before)}, axis);
}

NonuniformTransform::NonuniformTransform(Extents extents, Tensor points, double tolerance,
                                         bool by_tensors)
    : extents_(std::move(extents)), points_(std::move(points)), tolerance_(tolerance) {
  for (const std::int64_t n : extents_) {
    const std::int64_t least = 2 * GriddingKernel::most_width;
    grid_.push_back(fast_fourier_length(std::max(2 * n, least)));
  }
  if (!by_tensors && points_.device().is_cpu()) {
    tiled_ = std::make_unique<const TiledPoints>(grid_, points_);
  }
}

GriddingKernel NonuniformTransform::kernel_for(at::ScalarType type) const {
  const double rounding = type == at::kComplexDouble ? 1e-15 : 1e-7;
  return GriddingKernel(GriddingKernel::width_for(std::max(tolerance_, rounding)));
}

bool NonuniformTransform::uses_tiles(const Tensor& tensor) const {
  return tiled_ && tensor.device().is_cpu();
}

Tensor NonuniformTransform::corrected(Tensor z, const GriddingKernel& kernel) const {
  for (std::size_t a = 0; a < extents_.size(); ++a) {
    const std::int64_t n = extents_[a];
    Tensor factors = at::empty({n}, at::kDouble);
    const std::int64_t centre = n / 2;
    for (std::int64_t i = 0; i < n; ++i) {
      const double frequency = static_cast<double>(i - centre) / static_cast<double>(grid_[a]);
      factors.data_ptr<double>()[i] = 1 / kernel.transform(frequency);
    }
    Extents along(extents_.size() - a, 1);
    along.front() = n;
    const at::ScalarType type = c10::toRealValueType(z.scalar_type());
    z = z * factors.to(z.device(), type).view(along);
  }
  return z;
}

// Axis by axis, so that no transform runs along lines of zeros.
Tensor NonuniformTransform::at_points(const Tensor& z) const {
  const GriddingKernel kernel = kernel_for(z.scalar_type());
  Tensor grid = corrected(z, kernel);
  for (auto axis = static_cast<std::int64_t>(grid_.size()); axis > 0; --axis) {
    const std::int64_t cells = grid_[static_cast<std::size_t>(axis - 1)];
    grid = at::fft_fft(wrapped(grid, axis, cells), std::nullopt, axis);
  }
  if (!uses_tiles(z)) return interpolated(grid, points_.to(z.device()), kernel);
  TensorList planes;
  for (std::int64_t plane = 0; plane < z.size(0); ++plane) {
    planes.push_back(interpolated(grid[plane].contiguous(), *tiled_, kernel));
  }
  return at::stack(planes);
}

Tensor NonuniformTransform::on_grid(const Tensor& v) const {
  const GriddingKernel kernel = kernel_for(v.scalar_type());
  Tensor grid;
  if (uses_tiles(v)) {
    Extents shape = {1};
    shape.insert(shape.end(), grid_.begin(), grid_.end());
    TensorList planes;
    for (std::int64_t plane = 0; plane < v.size(0); ++plane) {
      planes.push_back(spread(v[plane].contiguous(), *tiled_, kernel).view(shape));
    }
    grid = at::cat(planes);
  } else {
    grid = spread(v, points_.to(v.device()), grid_, kernel);
  }
  const auto axes = static_cast<std::int64_t>(grid_.size());
  for (std::int64_t axis = 1; axis <= axes; ++axis) {
    grid = unwrapped(at::fft_ifft(grid, std::nullopt, axis, "forward"), axis,
                     extents_[static_cast<std::size_t>(axis - 1)]);
  }
  return corrected(grid, kernel);
}

}  // namespace tessera::fourier
