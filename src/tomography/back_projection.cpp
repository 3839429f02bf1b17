// SPDX-License-Identifier: BSD-3-Clause
#include "tomography/back_projection.hpp"

#include <ATen/ops/arange.h>
#include <ATen/ops/fft_irfft.h>
#include <ATen/ops/fft_rfft.h>
#include <ATen/ops/grid_sampler_2d.h>
#include <ATen/ops/real.h>
#include <ATen/ops/sinc.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>

#include "tessera/core/error.hpp"
#include "tessera/core/text.hpp"

namespace tessera::joseph {

namespace {

constexpr double pi = 3.14159265358979323846;
constexpr std::int64_t voxels_at_a_time = std::int64_t{1} << 22;

/// Positions of n cells or voxels, `distance` apart, their middle at zero.
Tensor positions(std::int64_t n, double distance, const Tensor& like) {
  const auto options = like.options().dtype(at::kDouble);
  return (at::arange(n, options) - static_cast<double>(n - 1) / 2) * distance;
}

double length_of(const WorldVector& vector) {
  return std::hypot(vector[0], vector[1], vector[2]);
}

/// Distance of cells in a row, and of rows, as seen in the plane of the axis.
double scale_to_axis(const ScanGeometry& geometry) {
  const ScanGeometry::Circle& circle = *geometry.circle();
  return geometry.parallel_rays() ? 1 : circle.source / (circle.source + circle.detector);
}

/// The angle of the outermost ray, from the middle.
double half_fan(const ScanGeometry& geometry) {
  const double cell = length_of(geometry.view(0).u) * scale_to_axis(geometry);
  return std::atan(static_cast<double>(geometry.cells().back()) / 2 * cell /
                   geometry.circle()->source);
}

bool is_short(const ScanGeometry& geometry) {
  return !geometry.parallel_rays() && geometry.circle()->radians < 2 * pi * (1 - 1e-9);
}

/// How much of each line counts in a short scan, so that lines seen twice count once (Parker, Med.
/// Phys. 9, 1982; the arc beyond pi is twice `fan`, half the fan or more). The ray at `gamma` of
/// the view at `beta` is seen again at -gamma, beta + pi - 2 gamma.
Tensor parker(double beta, const Tensor& gamma, double fan) {
  const Tensor first = pi / 4 * beta / (fan + gamma);
  const Tensor last = pi / 4 * (pi + 2 * fan - beta) / (fan - gamma);
  const Tensor rising = at::where(beta < 2 * (fan + gamma), first.sin().square(), 1.0);
  return at::where(beta > pi + 2 * gamma, last.sin().square(), rising);
}

/// The ramp's values at the frequencies of rfft on `length` samples, `distance` apart.
Tensor ramp(std::int64_t length, double distance, const RampFilter& filter, const Tensor& like) {
  const auto options = like.options().dtype(at::kDouble);
  const Tensor n = at::arange(length, options);
  const std::int64_t middle = length / 2;
  const Tensor lag =
      at::where(n <= static_cast<double>(middle), n, n - static_cast<double>(length));
  Tensor kernel = at::where(lag.remainder(2) == 1, -1 / (pi * lag).square(), 0.0);
  kernel[0] = 0.25;
  const Tensor values = at::real(at::fft_rfft(kernel)) / distance;
  const Tensor f =
      at::arange(values.size(0), options) / (static_cast<double>(length) / 2 * filter.cutoff);
  Tensor window = (f <= 1).to(at::kDouble);
  if (filter.window == RampWindow::shepp_logan) window = window * at::sinc(f / 2);
  if (filter.window == RampWindow::cosine) window = window * (pi / 2 * f).cos();
  if (filter.window == RampWindow::hann) window = window * (0.5 + 0.5 * (pi * f).cos());
  return values * window;
}

}  // namespace

void check_circle(const ScanGeometry& geometry, const std::string& who) {
  if (!geometry.circle()) {
    throw error::InvalidArgument(
        formatted("{}: the scan is made of vectors, expected one on a circle, of "
                  "ScanGeometry::parallel, fan or cone; others are reconstructed by iteration",
                  who));
  }
  const double radians = geometry.circle()->radians;
  const auto expect = [&](bool holds, const std::string& expected) {
    if (holds) return;
    throw error::InvalidArgument(formatted("{}: the scan has an arc of {:.6g} degrees, expected {}",
                                           who, radians * 180 / pi, expected));
  };
  if (geometry.parallel_rays()) {
    const double turns = radians / pi;
    expect(std::abs(turns - std::round(turns)) < 1e-9 && turns > 0.5, "180, or a multiple of it");
    return;
  }
  expect(radians <= 2 * pi * (1 + 1e-9), "360 at most");
  const double least = pi + 2 * half_fan(geometry);
  expect(!is_short(geometry) || radians >= least * (1 - 1e-9),
         formatted("360, or at least 180 and the angle of the fan, {:.6g}", least * 180 / pi));
}

Tensor ramped(const ScanGeometry& geometry, const RampFilter& filter, const Tensor& y) {
  const ScanGeometry::Circle& circle = *geometry.circle();
  const std::int64_t cells = geometry.cells().back();
  const double distance = length_of(geometry.view(0).u) * scale_to_axis(geometry);
  Tensor weighted = y;
  if (!geometry.parallel_rays()) {
    const Tensor p = positions(cells, distance, y);
    Tensor squares = p.square() + circle.source * circle.source;
    if (geometry.dimensions() == 3) {
      const double rows = length_of(geometry.view(0).v) * scale_to_axis(geometry);
      squares = squares + positions(geometry.cells().front(), rows, y).square().unsqueeze(1);
    }
    weighted = weighted * (circle.source / squares.sqrt()).to(y.scalar_type());
    if (is_short(geometry)) {
      const Tensor gamma = (p / circle.source).atan();
      TensorList each;
      for (const double beta : circle.angles) {
        each.push_back(parker(beta, gamma, (circle.radians - pi) / 2));
      }
      Tensor weights = at::stack(each).to(y.scalar_type());
      if (geometry.dimensions() == 3) weights = weights.unsqueeze(1);
      weighted = weighted * weights;
    }
  }
  std::int64_t length = 2;
  while (length < 2 * cells) length *= 2;
  const Tensor spectrum =
      at::fft_rfft(weighted, length) * ramp(length, distance, filter, y).to(y.scalar_type());
  return at::fft_irfft(spectrum, length).narrow(-1, 0, cells);
}

Tensor back_projected(const ScanGeometry& geometry, const Grid& grid, const Tensor& q) {
  const ScanGeometry::Circle& circle = *geometry.circle();
  const bool is_plane = geometry.dimensions() == 2;
  const double fold = geometry.parallel_rays() ? circle.radians / pi : is_short(geometry) ? 1 : 2;
  const double share = circle.radians / static_cast<double>(circle.views) / fold;
  const Extents& cells = geometry.cells();
  const Extents& spatial = grid.spatial;
  Extents shape = {q.size(0), q.size(1)};
  shape.insert(shape.end(), spatial.begin(), spatial.end());
  Tensor x = at::zeros(shape, q.options());
  const Tensor across = positions(spatial.back(), grid.voxel, q);
  const Tensor down = positions(spatial[spatial.size() - 2], grid.voxel, q).unsqueeze(1);
  const Tensor up =
      is_plane ? at::zeros({1}, across.options()) : positions(spatial.front(), grid.voxel, q);
  const std::int64_t slice = down.size(0) * across.size(0);
  const std::int64_t step = std::max<std::int64_t>(1, voxels_at_a_time / slice);
  const auto columns = static_cast<double>(cells.back());
  const double u = length_of(geometry.view(0).u);
  for (std::int64_t k = 0; k < geometry.views(); ++k) {
    const double c = std::cos(circle.angles[static_cast<std::size_t>(k)]);
    const double s = std::sin(circle.angles[static_cast<std::size_t>(k)]);
    Tensor column = c * across + s * down;  // (H, W), world
    Tensor weight;
    Tensor magnified;
    if (!geometry.parallel_rays()) {
      const Tensor depth = circle.source - s * across + c * down;
      magnified = (circle.source + circle.detector) / depth;
      column = column * magnified;
      weight = (share * (circle.source / depth).square()).to(q.scalar_type());
    }
    // As at::grid_sampler takes them: -1 to 1 over the cells with their full sides.
    column = (column * (2 / (u * columns))).to(q.scalar_type());
    const Tensor rows = is_plane ? q.select(2, k).unsqueeze(2) : q.select(2, k);
    for (std::int64_t first = 0; first < up.size(0); first += step) {
      const Tensor z = up.slice(0, first, first + step);
      Tensor row = z.view({-1, 1, 1});
      if (!is_plane) {
        if (magnified.defined()) row = row * magnified;
        row = row * (2 / (length_of(geometry.view(0).v) * static_cast<double>(cells.front())));
      }
      const Extents all = {z.size(0), down.size(0), across.size(0)};
      const Tensor points =
          at::stack({column.expand(all), row.to(q.scalar_type()).expand(all)}, -1).flatten(0, 1);
      Extents batch = points.sizes().vec();
      batch.insert(batch.begin(), q.size(0));
      Tensor seen = at::grid_sampler_2d(rows, points.unsqueeze(0).expand(batch), 0, 0, false);
      seen = seen.unflatten(2, {z.size(0), down.size(0)});
      seen = weight.defined() ? seen * weight : seen * share;
      if (is_plane) {
        x.add_(seen.squeeze(2));
      } else {
        x.slice(2, first, first + step).add_(seen);
      }
    }
  }
  return x;
}

}  // namespace tessera::joseph
