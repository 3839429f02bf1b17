// SPDX-License-Identifier: BSD-3-Clause
#include "restoration/starting_point.hpp"

#include <ATen/ops/ones_like.h>

namespace restoration {

tessera::Tensor mean_of_measurements(const tessera::LinearPhysics& physics,
                                     const tessera::TensorList& measurements,
                                     const tessera::Tensor& image) {
  constexpr double least_weight = 1e-6;
  return physics.adjoint(measurements) /
         physics.normal(at::ones_like(image)).clamp_min(least_weight);
}

}  // namespace restoration
