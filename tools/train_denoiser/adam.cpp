// SPDX-License-Identifier: BSD-3-Clause
#include "adam.hpp"

#include <cmath>

using tessera::Tensor;

void adam_step(const Tensor& parameter, const Tensor& gradient, const Moments& moments,
               std::int64_t step, double learning_rate) {
  constexpr double beta1 = 0.9;
  constexpr double beta2 = 0.99;
  constexpr double epsilon = 1e-8;
  const double correction1 = 1 - std::pow(beta1, static_cast<double>(step));
  const double correction2 = 1 - std::pow(beta2, static_cast<double>(step));
  moments.first.lerp_(gradient, 1 - beta1);
  moments.second.mul_(beta2).addcmul_(gradient, gradient, 1 - beta2);
  const Tensor scale = (moments.second / correction2).sqrt_().add_(epsilon);
  parameter.addcdiv_(moments.first, scale, -learning_rate / correction1);
}
