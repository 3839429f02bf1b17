// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/ops/zeros_like.h>

#include <Eigen/Core>

#include "tessera/core/eigen_map.hpp"
#include "tessera/physics/linear_physics.hpp"

namespace test {

/// The matrix of a single operator, column by column.
inline Eigen::MatrixXd matrix_of(const tessera::LinearPhysics& physics, const Tensor& image) {
  const std::int64_t n = image.numel();
  Eigen::MatrixXd matrix;
  for (std::int64_t i = 0; i < n; ++i) {
    Tensor unit = at::zeros_like(image);
    unit.view(-1)[i] = 1;
    const Tensor column = physics.forward(unit).front().contiguous();
    if (i == 0) matrix.resize(column.numel(), n);
    matrix.col(i) = tessera::eigen_vector<double>(column);
  }
  return matrix;
}

}  // namespace test
