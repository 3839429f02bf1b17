// SPDX-License-Identifier: BSD-3-Clause
#include "tessera/tomography/scan_geometry.hpp"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "tessera/core/check.hpp"
#include "tessera/core/error.hpp"
#include "tessera/core/text.hpp"
#include "tomography/vectors.hpp"

namespace tessera {

namespace {

constexpr const char* who = "scan_geometry";
constexpr double pi = 3.14159265358979323846;

void check_part(std::int64_t part, std::int64_t parts, std::int64_t views) {
  if (0 <= part && part < parts && parts <= views) return;
  throw error::InvalidArgument(
      formatted("{}: part {} of {} of a scan of {} views, expected a part from 0 on, and no more "
                "parts than views",
                who, part, parts, views));
}

/// A direction across the detector; its length is the area of a cell (the width, in the plane).
WorldVector normal_of(const ScanGeometry::View& view, bool is_plane) {
  return cross(view.u, is_plane ? WorldVector{0, 0, 1} : view.v);
}

void check_view(const ScanGeometry::View& view, std::int64_t k, bool is_plane, bool parallel) {
  const WorldVector normal = normal_of(view, is_plane);
  const double sides = length(view.u) * (is_plane ? 1 : length(view.v));
  if (!(length(normal) > 1e-9 * sides)) {
    throw error::InvalidArgument(
        formatted("{}: the cells of view {} have no extent: u is ({}), v is ({}), expected {}", who,
                  k, joined(view.u, ", "), joined(view.v, ", "),
                  is_plane ? "u other than zero" : "two directions"));
  }
  const WorldVector ray = parallel ? view.source : view.centre - view.source;
  if (std::abs(dot(normal, ray)) > 1e-9 * length(normal) * length(ray)) return;
  throw error::InvalidArgument(
      parallel ? formatted("{}: the rays of view {} have the direction ({}), expected one that "
                           "crosses the detector",
                           who, k, joined(view.source, ", "))
               : formatted("{}: the source of view {} is at ({}), on its detector, expected it off "
                           "the detector",
                           who, k, joined(view.source, ", ")));
}

}  // namespace

ScanGeometry::ScanGeometry(std::vector<View> each, Extents cells, bool parallel_rays,
                           std::optional<Circle> circle)
    : each_(std::move(each)),
      cells_(std::move(cells)),
      parallel_rays_(parallel_rays),
      circle_(std::move(circle)) {
  if (each_.empty()) {
    throw error::InvalidArgument(formatted("{}: there are 0 views, expected 1 or more", who));
  }
  const bool is_known = cells_.size() == 1 || cells_.size() == 2;
  if (!is_known || *std::min_element(cells_.begin(), cells_.end()) < 1) {
    throw error::InvalidArgument(
        formatted("{}: cells is [{}], expected one number, or rows and columns, each 1 or more",
                  who, joined(cells_, ", ")));
  }
  for (std::size_t k = 0; k < each_.size(); ++k) {
    check_view(each_[k], static_cast<std::int64_t>(k), cells_.size() == 1, parallel_rays_);
  }
}

ScanGeometry ScanGeometry::on_circle(std::int64_t views, Extents cells, std::array<double, 2> cell,
                                     bool parallel_rays, Circle circle) {
  check_positive(circle.radians, who, "the arc");
  check_positive(cell[0], who, "the size of a cell");
  check_positive(cell[1], who, "the size of a cell");
  if (!parallel_rays) {
    check_positive(circle.source, who, "the distance of the source");
    check_not_negative(circle.detector, who, "the distance of the detector");
  }
  circle.views = views;
  std::vector<View> each;
  for (std::int64_t k = 0; k < views; ++k) {
    const double angle = circle.radians * static_cast<double>(k) / static_cast<double>(views);
    const WorldVector across = {std::cos(angle), std::sin(angle), 0};
    const WorldVector along = {-std::sin(angle), std::cos(angle), 0};
    View view{parallel_rays ? along : -circle.source * along,
              circle.detector * along,
              cell[1] * across,
              {0, 0, 0}};
    if (cells.size() == 2) view.v = {0, 0, cell[0]};
    each.push_back(view);
    circle.angles.push_back(angle);
  }
  return {std::move(each), std::move(cells), parallel_rays, std::move(circle)};
}

ScanGeometry ScanGeometry::parallel(std::int64_t views, std::int64_t cells, double cell,
                                    double degrees) {
  return on_circle(views, {cells}, {cell, cell}, true, {0, 0, degrees * pi / 180, 0, {}});
}

ScanGeometry ScanGeometry::parallel(std::int64_t views, std::array<std::int64_t, 2> cells,
                                    std::array<double, 2> cell, double degrees) {
  return on_circle(views, {cells[0], cells[1]}, cell, true, {0, 0, degrees * pi / 180, 0, {}});
}

ScanGeometry ScanGeometry::fan(std::int64_t views, std::int64_t cells, double cell, double source,
                               double detector, double degrees) {
  return on_circle(views, {cells}, {cell, cell}, false,
                   {source, detector, degrees * pi / 180, 0, {}});
}

ScanGeometry ScanGeometry::cone(std::int64_t views, std::array<std::int64_t, 2> cells,
                                std::array<double, 2> cell, double source, double detector,
                                double degrees) {
  return on_circle(views, {cells[0], cells[1]}, cell, false,
                   {source, detector, degrees * pi / 180, 0, {}});
}

ScanGeometry ScanGeometry::from_vectors(const Tensor& vectors, Extents cells, bool parallel_rays) {
  const std::int64_t columns = cells.size() == 1 ? 6 : 12;
  const bool ok = vectors.defined() && vectors.is_floating_point() && vectors.dim() == 2 &&
                  vectors.size(1) == columns;
  if (!ok) {
    throw error::ShapeMismatch(
        formatted("{}: the vectors are {}, expected floating numbers (views, {}) for cells of {} "
                  "extents",
                  who, describe(vectors), columns, cells.size()));
  }
  check_finite(vectors, who, "the vectors");
  const Tensor numbers = vectors.detach().to(at::kCPU, at::kDouble).contiguous();
  const double* row = numbers.data_ptr<double>();
  std::vector<View> each;
  for (std::int64_t k = 0; k < vectors.size(0); ++k, row += columns) {
    const auto vector = [&](std::int64_t i) {
      return columns == 6 ? WorldVector{row[2 * i], row[2 * i + 1], 0}
                          : WorldVector{row[3 * i], row[3 * i + 1], row[3 * i + 2]};
    };
    each.push_back(
        {vector(0), vector(1), vector(2), columns == 6 ? WorldVector{0, 0, 0} : vector(3)});
  }
  return {std::move(each), std::move(cells), parallel_rays, std::nullopt};
}

Tensor ScanGeometry::vectors() const {
  const std::int64_t d = dimensions();
  Tensor numbers = at::empty({views(), d == 2 ? 6 : 12}, at::kDouble);
  double* out = numbers.data_ptr<double>();
  for (const View& view : each_) {
    const std::array<WorldVector, 4> four = {view.source, view.centre, view.u, view.v};
    for (std::size_t k = 0; k < (d == 2 ? 3 : 4); ++k) {
      out = std::copy_n(four[k].begin(), d, out);
    }
  }
  return numbers;
}

ScanGeometry ScanGeometry::part_of(std::int64_t first, std::int64_t stride,
                                   std::int64_t count) const {
  std::vector<View> each;
  std::optional<Circle> circle = circle_;
  if (circle) circle->angles.clear();
  for (std::int64_t k = 0; k < count; ++k) {
    const auto i = static_cast<std::size_t>(first + k * stride);
    each.push_back(each_[i]);
    if (circle) circle->angles.push_back(circle_->angles[i]);
  }
  return {std::move(each), cells_, parallel_rays_, std::move(circle)};
}

ScanGeometry ScanGeometry::interleaved(std::int64_t part, std::int64_t parts) const {
  check_part(part, parts, views());
  return part_of(part, parts, (views() - part + parts - 1) / parts);
}

ScanGeometry ScanGeometry::contiguous(std::int64_t part, std::int64_t parts) const {
  check_part(part, parts, views());
  const std::int64_t each = views() / parts;
  const std::int64_t longer = views() % parts;
  return part_of(part * each + std::min(part, longer), 1, each + (part < longer ? 1 : 0));
}

}  // namespace tessera
