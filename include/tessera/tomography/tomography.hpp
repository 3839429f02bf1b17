// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>

#include "tessera/physics/linear_operator.hpp"
#include "tessera/tomography/ramp_filter.hpp"
#include "tessera/tomography/scan_geometry.hpp"

namespace tessera {

/// Line integrals of an image along the rays of a scan, in two or three dimensions: component
/// tessera::tomography.
///
/// By Joseph's method (IEEE Trans. Med. Imaging 1, 1982): across the axis along which a ray runs
/// fastest, it meets planes of voxels; in each the image is interpolated linearly, and counts with
/// the length of the ray between two planes. Beyond the image there is zero. Rays are whole lines,
/// not ended by source or detector. Values have the unit of the image times that of length: for
/// attenuation per mm give lengths in mm.
///
/// x (B, C, spatial...) -> y (B, C, views, cells...). The adjoint is the exact transpose, with the
/// same weights; not a reconstruction, which filtered() is. Float32 and float64; images of half
/// precision are computed in float32. On the host the same bits for any number of threads. On a
/// GPU interpolation is LibTorch's, sums of the adjoint come in any order, and float32 positions
/// are rounded to 1e-7 of the image's width.
///
/// ||A||^2 grows like views times width: give solvers steps from norm_squared(). Shares of a scan:
///
///     DistributedPhysics scan(
///         ranks->size(),
///         [&](std::int64_t i) {
///           return std::make_unique<Tomography>(extents, voxel,
///                                               geometry.interleaved(i, ranks->size()));
///         },
///         ranks);
class Tomography : public LinearOperator {
 public:
  /// Images of these spatial extents, with voxels whose sides have the length `voxel`, in the unit
  /// of the geometry. Throws error::InvalidArgument if their dimensions differ.
  Tomography(Extents spatial, double voxel, ScanGeometry geometry);

  std::string name() const override { return "tomography"; }
  const Extents& spatial() const { return spatial_; }
  double voxel() const { return voxel_; }
  const ScanGeometry& geometry() const { return geometry_; }

  /// An approximate inverse at the cost of one projection, for scans on a circle: filtered
  /// back-projection of parallel rays over 180 degrees or a multiple; of a fan over 360 degrees, or
  /// over 180 and the angle of the fan or more, with Parker's weights; of a cone as Feldkamp, Davis
  /// and Kress (J. Opt. Soc. Am. A 1, 1984), exact in the plane of the source. Negative values
  /// occur. Throws error::InvalidArgument for other scans.
  ///
  /// A part of a scan gives its part of the sum: over ranks, each with its share of the views, the
  /// whole is one all-reduce of filtered() of each. Local.
  Tensor filtered(const Tensor& y, const RampFilter& filter = {}) const;

 private:
  Tensor do_apply(const Tensor& x) const override;
  Tensor do_apply_adjoint(const Tensor& v) const override;
  void check_measurement(const Tensor& v, const std::string& who) const;

  Extents spatial_;
  double voxel_;
  ScanGeometry geometry_;
};

}  // namespace tessera
