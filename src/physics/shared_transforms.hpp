#pragma once

#include <string>
#include <vector>

#include "tessera/physics/linear_physics.hpp"

/// What stacks and the shares of ranks add up. Single operators on the same image: those with a
/// transfer function share its Fourier transforms, one of x in the place of one per operator, and
/// one of the sum of what comes back.
namespace tessera::detail {

/// A_i x for each operator.
TensorList forward_each(const std::vector<LinearPhysicsPtr>& operators, const Tensor& x);

/// sum_i A_i^T v_i; undefined without operators. Throws error::ShapeMismatch naming `who` if the
/// images, or measurements that are transformed together, differ in shape, dtype or device.
Tensor adjoint_sum(const std::vector<LinearPhysicsPtr>& operators, const TensorList& v,
                   const std::string& who);

/// The sum of `spectrum_of(operator)`; undefined if one of them is, or without operators.
template <typename SpectrumOf>
Tensor sum_of_spectra(const std::vector<LinearPhysicsPtr>& operators,
                      const SpectrumOf& spectrum_of) {
  Tensor sum;
  for (const LinearPhysicsPtr& one : operators) {
    const Tensor spectrum = spectrum_of(*one);
    if (!spectrum.defined()) return {};
    sum = sum.defined() ? sum + spectrum : spectrum;
  }
  return sum;
}

}  // namespace tessera::detail
