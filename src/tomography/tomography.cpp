// SPDX-License-Identifier: BSD-3-Clause
#include "tessera/tomography/tomography.hpp"

#include <algorithm>
#include <utility>

#include "tessera/core/check.hpp"
#include "tessera/core/error.hpp"
#include "tessera/core/text.hpp"
#include "tomography/back_projection.hpp"
#include "tomography/projector.hpp"

namespace tessera {

Tomography::Tomography(Extents spatial, double voxel, ScanGeometry geometry)
    : spatial_(std::move(spatial)), voxel_(voxel), geometry_(std::move(geometry)) {
  check_positive(voxel_, name(), "the side of a voxel");
  const bool fits = static_cast<std::int64_t>(spatial_.size()) == geometry_.dimensions();
  if (!fits || *std::min_element(spatial_.begin(), spatial_.end()) < 1) {
    throw error::InvalidArgument(
        formatted("{}: the image has the extents [{}], expected {}, each 1 or more, for a scan in "
                  "{} dimensions",
                  name(), joined(spatial_, ", "), geometry_.dimensions(), geometry_.dimensions()));
  }
}

void Tomography::check_measurement(const Tensor& v, const std::string& who) const {
  const Extents& cells = geometry_.cells();
  const bool ok = v.defined() && v.is_floating_point() &&
                  v.dim() == static_cast<std::int64_t>(cells.size()) + 3 && v.numel() > 0 &&
                  v.size(2) == geometry_.views() && v.sizes().slice(3) == at::IntArrayRef(cells);
  if (ok) return;
  throw error::ShapeMismatch(formatted("{} is {}, expected floating values (B, C, {}, {})", who,
                                       describe(v), geometry_.views(), joined(cells, ", ")));
}

Tensor Tomography::do_apply(const Tensor& x) const {
  if (x.sizes().slice(2) != at::IntArrayRef(spatial_)) {
    throw error::ShapeMismatch(formatted("{}.forward: x is {}, expected an image of extents [{}]",
                                         name(), describe(x), joined(spatial_, ", ")));
  }
  const Tensor wide = detail::widened(x.detach());
  const joseph::Grid grid{spatial_, voxel_};
  const Tensor y = x.device().is_cpu() ? joseph::project(geometry_, grid, wide)
                                       : joseph::sampled_project(geometry_, grid, wide);
  return y.to(x.scalar_type());
}

Tensor Tomography::do_apply_adjoint(const Tensor& v) const {
  check_measurement(v, formatted("{}.adjoint: v", name()));
  const Tensor wide = detail::widened(v.detach());
  const joseph::Grid grid{spatial_, voxel_};
  const Tensor x = v.device().is_cpu() ? joseph::project_back(geometry_, grid, wide)
                                       : joseph::sampled_project_back(geometry_, grid, wide);
  return x.to(v.scalar_type());
}

Tensor Tomography::filtered(const Tensor& y, const RampFilter& filter) const {
  const std::string who = formatted("{}.filtered", name());
  check_measurement(y, formatted("{}: y", who));
  joseph::check_circle(geometry_, who);
  check_positive(filter.cutoff, who, "the cutoff of the ramp");
  if (filter.cutoff > 1) {
    throw error::InvalidArgument(formatted(
        "{}: the cutoff of the ramp is {}, expected at most 1, the highest frequency that "
        "cells sample",
        who, filter.cutoff));
  }
  const Tensor wide = detail::widened(y);
  const Tensor q = joseph::ramped(geometry_, filter, wide);
  return joseph::back_projected(geometry_, {spatial_, voxel_}, q).to(y.scalar_type());
}

}  // namespace tessera
