// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "tessera/tomography/ramp_filter.hpp"
#include "tomography/rays.hpp"

/// Filtered back-projection of scans on a circle (Kak and Slaney, Principles of Computerized
/// Tomographic Imaging, 1988, chapter 3), on any device.
namespace tessera::joseph {

/// Throws error::InvalidArgument, led by `who`, if the scan is on no circle or does not see all
/// lines.
void check_circle(const ScanGeometry& geometry, const std::string& who);

/// y with cosine and redundancy weights, ramped along rows; (B, C, views, cells...).
Tensor ramped(const ScanGeometry& geometry, const RampFilter& filter, const Tensor& y);

/// sum over views of q at the cell that sees a voxel, times that view's share of the arc and, for
/// diverging rays, (source distance / depth)^2; linear between cells.
Tensor back_projected(const ScanGeometry& geometry, const Grid& grid, const Tensor& q);

}  // namespace tessera::joseph
