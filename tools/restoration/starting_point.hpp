// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "tessera/core/tensor.hpp"
#include "tessera/physics/linear_physics.hpp"

namespace restoration {

/// Collective if the physics is distributed. At each pixel the mean of what sees it, each by its
/// weight: A^T y / (A^T A 1), for operators that keep a constant image up to a factor. Less than
/// that where hardly anything looks, 0 where nothing does. Shaped as `image`, of which only shape,
/// dtype and device are read.
tessera::Tensor mean_of_measurements(const tessera::LinearPhysics& physics,
                                     const tessera::TensorList& measurements,
                                     const tessera::Tensor& image);

}  // namespace restoration
