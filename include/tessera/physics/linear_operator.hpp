#pragma once

#include "tessera/physics/linear_physics.hpp"
#include "tessera/physics/noise.hpp"

namespace tessera {

/// A single linear operator y = A x: what to derive from to add an operator of your own. Supply
/// name(), do_apply and do_apply_adjoint; see docs/write_an_operator.md.
///
/// Differentiable in the image even where do_apply is not made of ATen operations: the derivative
/// of A is its adjoint, so that is what autograd is given then. The operator must outlive the
/// backward pass.
class LinearOperator : public LinearPhysics {
 public:
  /// A x. Local.
  Tensor apply(const Tensor& x) const { return forward(x).front(); }
  /// A^T v. Local.
  Tensor apply_adjoint(const Tensor& v) const { return adjoint({v}); }

  /// Noise that measure() adds to A x; none at first.
  void set_noise(NoisePtr noise) { noise_ = std::move(noise); }

 private:
  virtual Tensor do_apply(const Tensor& x) const = 0;
  virtual Tensor do_apply_adjoint(const Tensor& v) const = 0;

  TensorList do_forward(const Tensor& x) const final;
  Tensor do_adjoint(const TensorList& v) const final;
  TensorList do_measure(const Tensor& x) const final;

  NoisePtr noise_;
};

}  // namespace tessera
