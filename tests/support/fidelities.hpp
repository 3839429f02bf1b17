// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "adjoint.hpp"
#include "catch.hpp"
#include "tensors.hpp"
#include "tessera/fidelity/data_fidelity.hpp"

namespace test {

/// At x the gradient is the slope of the value, and what prox returns is stationary. Float64.
inline void check_gradient_and_prox(const tessera::DataFidelity& fidelity,
                                    const tessera::Tensor& x) {
  const tessera::Tensor direction = random(x.sizes(), 9);
  const double difference =
      (fidelity.value(x + 1e-4 * direction) - fidelity.value(x - 1e-4 * direction)) / 2e-4;
  CHECK((fidelity.gradient(x) * direction).sum().item<double>() ==
        Approx(difference).epsilon(1e-6));

  // u = prox(z) is where step * grad f(u) + u - z vanishes.
  const tessera::Tensor z = random(x.sizes(), 10);
  const tessera::Tensor u = fidelity.prox(z, 0.3);
  CHECK(relative_error(u + 0.3 * fidelity.gradient(u), z) < 1e-9);
}

}  // namespace test
