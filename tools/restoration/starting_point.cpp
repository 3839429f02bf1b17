// SPDX-License-Identifier: BSD-3-Clause
#include "restoration/starting_point.hpp"

#include <ATen/ops/ones_like.h>

namespace restoration {

using tessera::Tensor;

Tensor mean_of_measurements(const tessera::LinearPhysics& physics,
                            const tessera::TensorList& measurements, const Tensor& image) {
  constexpr double least_share = 1e-3;  // below it Fourier transforms' rounding would be enlarged
  const Tensor weight = physics.normal(at::ones_like(image));
  const double largest = physics.space().largest_each(weight, 1).front();
  return physics.adjoint(measurements) / weight.clamp_min(least_share * largest);
}

}  // namespace restoration
