// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>

#include "tessera/core/tensor.hpp"

/// Running means of a parameter's gradient and of its square, shaped like it.
struct Moments {
  tessera::Tensor first;
  tessera::Tensor second;
};

/// Step number `step`, from 1, of Adam (Kingma, Ba, ICLR 2015): changes the moments, and the
/// parameter against its gradient. Outside of gradient mode.
void adam_step(const tessera::Tensor& parameter, const tessera::Tensor& gradient,
               const Moments& moments, std::int64_t step, double learning_rate);
