// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "restore/operators.hpp"
#include "tessera/core/tensor.hpp"

namespace restore {

/// tessera::autocorrelation_energy of what is left of a measurement, one image: of what a last mask
/// shows. Collective where ranks share out the measurement; `residual` then is this rank's part.
double whiteness_of(const Measurement& measurement, const LoadedMeasurement& loaded,
                    const tessera::Tensor& residual);

}  // namespace restore
