// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/core/grad_mode.h>

#include <memory>
#include <utility>

#include "tessera/physics/linear_physics.hpp"
#include "tessera/physics/noise.hpp"

namespace tessera {

/// A single linear operator y = A x: what to derive from to add an operator of your own. Supply
/// name(), do_apply and do_apply_adjoint; see docs/how_to/write_an_operator.md.
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

  inline TensorList do_forward(const Tensor& x) const final;
  inline Tensor do_adjoint(const TensorList& v) const final;
  inline TensorList do_measure(const Tensor& x) const final;

  NoisePtr noise_;
};

namespace detail {

/// `output` = A `input` (or A^T of it) as a function of `input`, where it has not recorded that
/// itself: gradients go back through the adjoint, differentiable in turn. Two hooks do it: one on
/// the output keeps what comes back, one on the input answers with the adjoint of that; between
/// them stands the sum of no elements, which adds nothing and has a gradient.
inline Tensor recorded(const LinearOperator& a, bool adjoint, const Tensor& input,
                       const Tensor& output) {
  if (!at::GradMode::is_enabled() || !input.requires_grad() || output.requires_grad())
    return output;
  const auto arrived = std::make_shared<Tensor>();
  const Tensor start = input.view_as(input);
  start.register_hook([arrived, &a, adjoint](const Tensor& /*zeros*/) {
    const Tensor gradient = std::exchange(*arrived, Tensor());
    return adjoint ? a.apply(gradient) : a.apply_adjoint(gradient);
  });
  const Tensor end = output + start.reshape(-1).slice(0, 0, 0).sum();
  end.register_hook([arrived](const Tensor& gradient) { *arrived = gradient; });
  return end;
}

}  // namespace detail

inline TensorList LinearOperator::do_forward(const Tensor& x) const {
  return {detail::recorded(*this, false, x, do_apply(x))};
}

inline Tensor LinearOperator::do_adjoint(const TensorList& v) const {
  return detail::recorded(*this, true, v.front(), do_apply_adjoint(v.front()));
}

inline TensorList LinearOperator::do_measure(const Tensor& x) const {
  TensorList y = do_forward(x);
  if (noise_) y.front() = noise_->add(y.front());
  return y;
}

}  // namespace tessera
