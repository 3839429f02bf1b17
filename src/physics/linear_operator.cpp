#include "tessera/physics/linear_operator.hpp"

#include <ATen/core/grad_mode.h>

#include <memory>
#include <utility>

namespace tessera {

namespace {

/// `output` = A `input` (or A^T of it) as a function of `input`, where it has not recorded that
/// itself: gradients go back through the adjoint, differentiable in turn. Two hooks do it: one on
/// the output keeps what comes back, one on the input answers with the adjoint of that; between
/// them stands the sum of no elements, which adds nothing and has a gradient.
Tensor recorded(const LinearOperator& a, bool adjoint, const Tensor& input, const Tensor& output) {
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

}  // namespace

TensorList LinearOperator::do_forward(const Tensor& x) const {
  return {recorded(*this, false, x, do_apply(x))};
}

Tensor LinearOperator::do_adjoint(const TensorList& v) const {
  return recorded(*this, true, v.front(), do_apply_adjoint(v.front()));
}

TensorList LinearOperator::do_measure(const Tensor& x) const {
  TensorList y = do_forward(x);
  if (noise_) y.front() = noise_->add(y.front());
  return y;
}

}  // namespace tessera
