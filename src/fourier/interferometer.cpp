// SPDX-License-Identifier: BSD-3-Clause
#include "tessera/fourier/interferometer.hpp"

#include <ATen/ops/ones.h>
#include <ATen/ops/stack.h>

#include <numbers>

#include "fourier/wide_field.hpp"
#include "tessera/core/check.hpp"
#include "tessera/core/error.hpp"
#include "tessera/fourier/nonuniform_fourier.hpp"

namespace tessera {

namespace {

constexpr const char* instrument = "interferometer";

void check_baselines(const Tensor& uvw) {
  const bool ok = uvw.defined() && uvw.is_floating_point() && uvw.dim() == 2 && uvw.size(0) > 0 &&
                  uvw.size(1) == 3;
  if (!ok) {
    throw error::ShapeMismatch(
        formatted("{}: uvw is {}, expected floating (M, 3)", instrument, describe(uvw)));
  }
  check_finite(uvw, instrument, "uvw");
}

/// sqrt(weights) in float64, 1 if there are none.
Tensor roots_of(const Tensor& weights, std::int64_t count) {
  if (!weights.defined()) return at::ones({count}, at::kDouble);
  if (!weights.is_floating_point() || weights.sizes() != at::IntArrayRef({count})) {
    throw error::ShapeMismatch(formatted("{}: the weights are {}, expected floating [{}]",
                                         instrument, describe(weights), count));
  }
  check_finite(weights, instrument, "the weights");
  const double least = weights.min().item<double>();
  if (least < 0) {
    throw error::InvalidArgument(
        formatted("{}: a weight is {}, expected numbers >= 0", instrument, least));
  }
  return weights.detach().to(at::kCPU, at::kDouble).sqrt();
}

}  // namespace

std::unique_ptr<LinearPhysics> interferometer(const Visibilities& mine, const Extents& spatial,
                                              double cell_radians, InterferometerOptions options) {
  check_baselines(mine.uvw);
  check_positive(cell_radians, instrument, "cell_radians");
  if (spatial.size() != 2 || spatial[0] < 1 || spatial[1] < 1) {
    throw error::InvalidArgument(
        formatted("{}: spatial is {}, expected rows and columns", instrument, to_string(spatial)));
  }
  if (options.divide_by_n && !options.w_terms) {
    throw error::InvalidArgument(formatted("{}: divide_by_n needs w_terms", instrument));
  }
  if (!(options.tolerance >= 1e-14 && options.tolerance <= 0.1)) {
    throw error::InvalidArgument(
        formatted("{}: the tolerance is {}, expected 1e-14 to 0.1", instrument, options.tolerance));
  }
  const Tensor uvw = mine.uvw.detach().to(at::kCPU, at::kDouble);
  const Tensor roots = roots_of(mine.weights, uvw.size(0));
  const Tensor points =
      at::stack({uvw.select(1, 1), uvw.select(1, 0)}, 1) * (2 * std::numbers::pi * cell_radians);
  if (options.w_terms) {
    return std::make_unique<fourier::WideField>(spatial, cell_radians, points, uvw.select(1, 2),
                                                roots, options.tolerance, options.divide_by_n);
  }
  NonuniformFourierOptions flat;
  flat.tolerance = options.tolerance;
  if (mine.weights.defined()) flat.weights = mine.weights;
  return std::make_unique<NonuniformFourier>(spatial, points, flat);
}

Tensor whitened(const Visibilities& mine) {
  const Tensor& values = mine.values;
  if (!values.defined() || !values.is_complex() || values.dim() != 1) {
    throw error::ShapeMismatch(
        formatted("{}: the values are {}, expected complex (M)", instrument, describe(values)));
  }
  const Tensor roots = roots_of(mine.weights, values.size(0));
  return (values * roots.to(values.device(), c10::toRealValueType(values.scalar_type())))
      .view({1, 1, -1});
}

}  // namespace tessera
