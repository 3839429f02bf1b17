#pragma once

#include <functional>
#include <vector>

#include "tessera/physics/linear_physics.hpp"

/// Single operators on the same image: those with a transfer function share its Fourier transforms,
/// one of x in the place of one per operator, and one of the sum of what comes back.
namespace tessera::detail {

/// A_i x for each operator.
TensorList forward_each(const std::vector<LinearPhysicsPtr>& operators, const Tensor& x);

/// Calls add(image) with images that sum up to sum_i A_i^T v_i, made of at least one operator each.
/// Throws error::ShapeMismatch naming `who` if measurements that are transformed together differ in
/// shape, dtype or device.
void adjoint_terms(const std::vector<LinearPhysicsPtr>& operators, const TensorList& v,
                   const std::string& who, const std::function<void(const Tensor&)>& add);

}  // namespace tessera::detail
