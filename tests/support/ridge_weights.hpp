// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/ops/tensor.h>

#include <vector>

#include "tensors.hpp"
#include "tessera/core/state_dict.hpp"

/// Weights of a RidgePrior that nobody trained.
namespace test {

/// phi at its knots, which are 0.3 apart: rises and falls, or rises only.
inline const std::vector<double> weakly_convex_knots{0.6, 0.7, 0.5, 0.3, 0.35};
inline const std::vector<double> convex_knots{0.6, 0.9, 1.0, 1.0, 1.2};

/// Filters so weak that phi falls by less than what makes a denoiser ambiguous, of these extents
/// for the levels 0.05 and 0.5, log_scale 0.4 + 0.2 n.
inline tessera::StateDict ridge_weights(const tessera::Extents& extents, std::int64_t filters,
                                        const std::vector<double>& knots) {
  std::vector<std::int64_t> shape{filters, 1};
  shape.insert(shape.end(), extents.begin(), extents.end());
  const Tensor values = indexed(shape).flatten(1);
  const Tensor centred = (values - values.mean(1, true)) / (2 * values.norm());
  const Tensor log_scale =
      0.4 + 0.2 * at::arange(2 * filters, at::kDouble).view({2, filters}).t();  // level by level
  return {{"filters", centred.view(shape)},
          {"spline.values", at::tensor(knots, at::kDouble)},
          {"spline.spacing", at::tensor({0.3}, at::kDouble)},
          {"levels", at::tensor({0.05, 0.5}, at::kDouble)},
          {"log_scale", log_scale}};
}

}  // namespace test
