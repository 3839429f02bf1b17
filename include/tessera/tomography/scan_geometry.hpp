// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "tessera/core/tensor.hpp"

namespace tessera {

/// A point or a direction of the world, (x, y, z).
using WorldVector = std::array<double, 3>;

/// Where rays come from and where they are measured, for each view of a scan.
///
/// The world: an image has its centre at the origin; x grows along its last axis, y along the one
/// before, z along the first of three. Lengths are in the unit in which Tomography takes the size
/// of a voxel. A measurement of B images with C channels is (B, C, views, cells) in two dimensions
/// and (B, C, views, rows, columns) in three, cell 0 first; u leads from a cell to the next one of
/// its row, v from a row to the next.
///
/// Parallel, fan and cone scans turn about the z axis. View k of n has the angle a = k degrees / n;
/// there u points along (cos a, sin a), and rays run along (-sin a, cos a) or, from a source, about
/// that direction. The middle of the detector is met by the ray through the axis.
class ScanGeometry {
 public:
  struct View {
    WorldVector source;  ///< or the direction of all rays, of any length
    WorldVector centre;  ///< the middle of the detector
    WorldVector u;       ///< from a cell to the next of its row
    WorldVector v;       ///< from a row of cells to the next; zero in two dimensions
  };

  /// A scan on a circle, which filtered back-projection needs to know.
  struct Circle {
    double source;               ///< distance of the source from the axis; unused by parallel rays
    double detector;             ///< distance of the detector from the axis; the same
    double radians;              ///< the arc
    std::int64_t views;          ///< on the whole arc, also where this geometry is a part of it
    std::vector<double> angles;  ///< of each view, radians
  };

  /// Parallel rays in two dimensions; cells `cell` wide.
  static ScanGeometry parallel(std::int64_t views, std::int64_t cells, double cell = 1,
                               double degrees = 180);
  /// Parallel rays in three dimensions; `cells` and `cell` are rows, columns and their distances.
  static ScanGeometry parallel(std::int64_t views, std::array<std::int64_t, 2> cells,
                               std::array<double, 2> cell, double degrees = 180);
  /// A point source and a straight detector, `source` and `detector` away from the axis.
  static ScanGeometry fan(std::int64_t views, std::int64_t cells, double cell, double source,
                          double detector, double degrees = 360);
  /// A point source and a flat detector.
  static ScanGeometry cone(std::int64_t views, std::array<std::int64_t, 2> cells,
                           std::array<double, 2> cell, double source, double detector,
                           double degrees = 360);

  /// Any scan: one row of numbers per view, each vector as (x, y) in two dimensions, (x, y, z) in
  /// three. `cells`: one number, with rows of 6: source, centre of the detector, u; or rows and
  /// columns, with rows of 12: source, centre, u, v. With `parallel_rays` the first vector is the
  /// direction of the rays. In three dimensions these are the numbers of ASTRA's vector geometries;
  /// in its two-dimensional ones y points up, from the last row of the image to the first: negate
  /// it.
  static ScanGeometry from_vectors(const Tensor& vectors, Extents cells, bool parallel_rays);

  std::int64_t views() const { return static_cast<std::int64_t>(each_.size()); }
  const View& view(std::int64_t k) const { return each_[static_cast<std::size_t>(k)]; }
  /// One number in two dimensions; rows, columns in three.
  const Extents& cells() const { return cells_; }
  std::int64_t dimensions() const { return static_cast<std::int64_t>(cells_.size()) + 1; }
  bool parallel_rays() const { return parallel_rays_; }
  /// Nothing for from_vectors.
  const std::optional<Circle>& circle() const { return circle_; }
  /// As from_vectors takes them, float64.
  Tensor vectors() const;

  /// Views part, part + parts, part + 2 parts, ...: each part sees the image from all sides, as
  /// ranks and ordered subsets want it. Throws error::InvalidArgument if a part has no view.
  ScanGeometry interleaved(std::int64_t part, std::int64_t parts) const;
  /// Part `part` of `parts` runs of neighbouring views, the first ones longer by a view where
  /// `parts` does not divide them.
  ScanGeometry contiguous(std::int64_t part, std::int64_t parts) const;

 private:
  ScanGeometry(std::vector<View> each, Extents cells, bool parallel_rays,
               std::optional<Circle> circle);
  static ScanGeometry on_circle(std::int64_t views, Extents cells, std::array<double, 2> cell,
                                bool parallel_rays, Circle circle);
  ScanGeometry part_of(std::int64_t first, std::int64_t stride, std::int64_t count) const;

  std::vector<View> each_;
  Extents cells_;
  bool parallel_rays_;
  std::optional<Circle> circle_;
};

}  // namespace tessera
