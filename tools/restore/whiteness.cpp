// SPDX-License-Identifier: BSD-3-Clause
#include "restore/whiteness.hpp"

#include "tessera/metric/shared_out.hpp"
#include "tessera/metric/whiteness.hpp"

namespace restore {

double whiteness_of(const Measurement& measurement, const LoadedMeasurement& loaded,
                    const tessera::Tensor& residual) {
  using tessera::autocorrelation_energy;
  const tessera::Tensor mask = last_mask(measurement, loaded);
  const auto energy = [&](const auto&... image) {
    return mask.defined() ? autocorrelation_energy(image..., mask)
                          : autocorrelation_energy(image...);
  };
  return (loaded.boxes ? energy(loaded.boxes, residual) : energy(residual)).item<double>();
}

}  // namespace restore
