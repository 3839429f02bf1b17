// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "restore/loaded_measurement.hpp"
#include "tessera/core/tensor.hpp"
#include "tessera/physics/linear_physics.hpp"

namespace restore {

/// What a down-sampling weighs the pixels with that a pixel of the result stands for.
tessera::Tensor kernel_of(const DownSamplingStep& step);

/// The operator, for images (1, C, H, W) like `image`, of which only the shape and dtype are read.
/// It is tried out; throws error::InvalidArgument if it cannot be.
tessera::LinearPhysicsPtr make_operator(const Measurement& measurement,
                                        const LoadedMeasurement& loaded,
                                        const tessera::Tensor& image);

}  // namespace restore
