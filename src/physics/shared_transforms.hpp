#pragma once

#include <string>
#include <vector>

#include "tessera/physics/linear_physics.hpp"

/// Single operators on the same image: those with a transfer function share its Fourier transforms,
/// one of x in the place of one per operator, and one of the sum of what comes back.
namespace tessera::detail {

/// A_i x for each operator.
TensorList forward_each(const std::vector<LinearPhysicsPtr>& operators, const Tensor& x);

/// sum_i A_i^T v_i; undefined without operators. Throws error::ShapeMismatch naming `who` if the
/// images, or measurements that are transformed together, differ in shape, dtype or device.
Tensor adjoint_sum(const std::vector<LinearPhysicsPtr>& operators, const TensorList& v,
                   const std::string& who);

}  // namespace tessera::detail
