// SPDX-License-Identifier: BSD-3-Clause
// Projections and reconstructions of objects whose line integrals have a closed form.
#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>

#include <cmath>
#include <functional>

#include "adjoint.hpp"
#include "catch.hpp"
#include "tessera/core/error.hpp"
#include "tessera/tomography/tomography.hpp"

using namespace tessera;

namespace {

constexpr double pi = 3.14159265358979323846;

/// Squared distance of each ray from a point of the world, by the vectors of the geometry.
Tensor squared_distances(const ScanGeometry& geometry, const WorldVector& point) {
  const std::int64_t columns = geometry.cells().back();
  const std::int64_t rows = geometry.dimensions() == 2 ? 1 : geometry.cells().front();
  Tensor squares = at::empty({geometry.views(), rows, columns}, at::kDouble);
  double* out = squares.data_ptr<double>();
  for (std::int64_t k = 0; k < geometry.views(); ++k) {
    const auto& view = geometry.view(k);
    for (std::int64_t cell = 0; cell < rows * columns; ++cell) {
      double way_squared = 0;
      double off_squared = 0;
      double product = 0;
      for (std::size_t d = 0; d < 3; ++d) {
        const double end =
            view.centre[d] +
            (static_cast<double>(cell % columns) - static_cast<double>(columns - 1) / 2) *
                view.u[d] +
            (static_cast<double>(cell / columns) - static_cast<double>(rows - 1) / 2) * view.v[d];
        const double way = geometry.parallel_rays() ? view.source[d] : end - view.source[d];
        const double off = end - point[d];
        way_squared += way * way;
        off_squared += off * off;
        product += way * off;
      }
      *out++ = off_squared - product * product / way_squared;
    }
  }
  Extents shape = {1, 1, geometry.views()};
  shape.insert(shape.end(), geometry.cells().begin(), geometry.cells().end());
  return squares.view(shape);
}

/// Squared distance of each voxel, of side 1, from a point of the world.
Tensor squared_radii(const Extents& spatial, const WorldVector& point) {
  const auto d = static_cast<std::int64_t>(spatial.size());
  Tensor sum = at::full({1, 1}, 0.0, at::kDouble);
  for (std::int64_t axis = 0; axis < d; ++axis) {
    const std::int64_t n = spatial[static_cast<std::size_t>(axis)];
    Extents shape(static_cast<std::size_t>(d) + 2, 1);
    shape[static_cast<std::size_t>(axis) + 2] = n;
    const Tensor along = at::arange(n, at::kDouble) - static_cast<double>(n - 1) / 2;
    sum = sum.view(axis == 0 ? Extents(static_cast<std::size_t>(d) + 2, 1) : sum.sizes().vec()) +
          (along - point[static_cast<std::size_t>(d - 1 - axis)]).square().view(shape);
  }
  return sum;
}

double relative(const Tensor& a, const Tensor& b) {
  return ((a - b).norm() / b.norm()).item<double>();
}

/// Largest distance from 1 where the disc or ball of this radius is, away from its rim.
double unevenness(const Tensor& x, double radius) {
  const Tensor r = squared_radii(x.sizes().slice(2).vec(), {0, 0, 0}).sqrt();
  return ((x - 1) * (r < radius - 4)).abs().max().item<double>();
}

/// Chords of a disc or ball around the origin.
Tensor chords(const ScanGeometry& geometry, double radius) {
  return 2 * (radius * radius - squared_distances(geometry, {0, 0, 0})).clamp_min(0).sqrt();
}

}  // namespace

TEST_CASE("Line integrals of a Gaussian", "[tomography]") {
  struct Scan {
    const char* what;
    Extents spatial;
    double s;
    ScanGeometry geometry;
  };
  const std::vector<Scan> scans = {
      {"parallel", {61, 67}, 5, ScanGeometry::parallel(13, 80)},
      {"fan", {61, 67}, 5, ScanGeometry::fan(13, 90, 1.5, 120, 70)},
      {"parallel in space", {23, 25, 27}, 2.5, ScanGeometry::parallel(5, {29, 31}, {1, 1})},
      {"cone", {23, 25, 27}, 2.5, ScanGeometry::cone(7, {30, 32}, {1.5, 1.4}, 60, 30)}};
  for (const Scan& scan : scans) {
    INFO(scan.what);
    // Off the origin: a sign or an axis that is wrong shows.
    const WorldVector at_point = {3.2, -2.1, scan.spatial.size() == 3 ? 1.3 : 0};
    const double variance = scan.s * scan.s;
    const Tensor x = (squared_radii(scan.spatial, at_point) / (-2 * variance)).exp();
    const Tensor expected = std::sqrt(2 * pi) * scan.s *
                            (squared_distances(scan.geometry, at_point) / (-2 * variance)).exp();
    const Tomography a(scan.spatial, 1, scan.geometry);
    // Interpolation along each axis but the main one widens the variance by 1/6 on average.
    const double axes = static_cast<double>(scan.spatial.size()) - 1;
    CHECK(relative(a.apply(x), expected) < axes / (12 * variance));
  }
}

TEST_CASE("Chords of a ball", "[tomography]") {
  const ScanGeometry cone = ScanGeometry::cone(5, {24, 26}, {1.7, 1.6}, 70, 40);
  const Tensor x = (13 - squared_radii({33, 33, 33}, {0, 0, 0}).sqrt() + 0.5).clamp(0, 1);
  const Tensor y = Tomography({33, 33, 33}, 1, cone).apply(x);
  const Tensor expected = chords(cone, 13);
  const Tensor is_inside = squared_distances(cone, {0, 0, 0}) < 81;  // its surface has steps
  CHECK(is_inside.sum().item<double>() > 500);
  CHECK(relative(y * is_inside, expected * is_inside) < 0.01);
}

TEST_CASE("Filtered back-projection is flat in a disc", "[tomography]") {
  const double radius = 24;
  const Extents spatial = {65, 63};
  const double short_arc = 180 + 2 * 180 / pi * std::atan(48 / 150.) + 5;
  const std::vector<ScanGeometry> scans = {
      ScanGeometry::parallel(150, 96, 0.8), ScanGeometry::parallel(300, 96, 0.8, 360),
      ScanGeometry::fan(300, 96, 1, 100, 50), ScanGeometry::fan(260, 96, 1, 100, 50, short_arc)};
  for (const ScanGeometry& scan : scans) {
    INFO(scan.views());
    const Tomography a(spatial, 1, scan);
    const Tensor y = chords(scan, radius);
    const Tensor x = a.filtered(y);
    CHECK(x.sizes() == at::IntArrayRef({1, 1, 65, 63}));
    CHECK(unevenness(x, radius) < 0.01);
    CHECK(unevenness(a.filtered(y, {.window = RampWindow::hann}), radius) < 0.01);
    CHECK(std::abs(a.filtered(y.to(at::kFloat)).to(at::kDouble).sub(x).abs().max().item<double>()) <
          1e-4);
    // Of a Gaussian off the axis, which a mirrored image would not match.
    const WorldVector point = {9.3, -4.8, 0};
    const Tensor truth = (squared_radii(spatial, point) / (-2 * 16.)).exp();
    const Tensor sinogram = std::sqrt(2 * pi) * 4 * (squared_distances(scan, point) / -32).exp();
    const Tensor is_seen = squared_radii(spatial, {0, 0, 0}) < 28 * 28;  // from all sides
    CHECK(relative(a.filtered(sinogram) * is_seen, truth) < 0.015);
    CHECK(relative(a.filtered(a.apply(truth)) * is_seen, truth) < 0.015);
    // Shares add up to the whole.
    Tensor sum;
    for (std::int64_t part = 0; part < 3; ++part) {
      const Tomography share(spatial, 1, scan.interleaved(part, 3));
      const Tensor mine = share.filtered(y.slice(2, part, std::nullopt, 3));
      sum = sum.defined() ? sum + mine : mine;
    }
    CHECK(relative(sum, x) < 1e-12);
  }
}

TEST_CASE("Filtered back-projection of a cone", "[tomography]") {
  const ScanGeometry scan = ScanGeometry::cone(160, {31, 60}, {1.3, 1}, 80, 40);
  const Tomography a({17, 41, 39}, 1, scan);
  const Tensor x = a.filtered(chords(scan, 14));
  CHECK(unevenness(x.narrow(2, 8, 1), 14) < 0.01);
  CHECK(unevenness(x, 8) < 0.02);
  const ScanGeometry flat = ScanGeometry::parallel(120, {21, 50}, {1, 1});
  CHECK(unevenness(Tomography({17, 41, 39}, 1, flat).filtered(chords(flat, 8)), 8) < 0.01);
}

TEST_CASE("Filtered back-projection refuses scans that it cannot invert", "[tomography]") {
  const auto message_of = [](const ScanGeometry& scan, const RampFilter& filter = {}) {
    const Tomography a({8, 8}, 1, scan);
    try {
      a.filtered(at::full({1, 1, scan.views(), 12}, 1.0, at::kDouble), filter);
    } catch (const error::InvalidArgument& failure) {
      return std::string(failure.what());
    }
    return std::string();
  };
  const ScanGeometry scan = ScanGeometry::parallel(9, 12);
  CHECK(message_of(scan).empty());
  CHECK(message_of(ScanGeometry::from_vectors(scan.vectors(), {12}, true)) ==
        "tomography.filtered: the scan is made of vectors, expected one on a circle, of "
        "ScanGeometry::parallel, fan or cone; others are reconstructed by iteration");
  CHECK(message_of(ScanGeometry::parallel(9, 12, 1, 120)) ==
        "tomography.filtered: the scan has an arc of 120 degrees, expected 180, or a multiple of "
        "it");
  CHECK(message_of(ScanGeometry::fan(9, 12, 1, 6, 0, 200)) ==
        "tomography.filtered: the scan has an arc of 200 degrees, expected 360, or at least 180 "
        "and the angle of the fan, 270");
  CHECK(message_of(scan, {.cutoff = 1.5}) ==
        "tomography.filtered: the cutoff of the ramp is 1.5, expected at most 1, the highest "
        "frequency that cells sample");
}
