#include "tessera/physics/linear_operator.hpp"

#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/custom_function.h>

#include <cstdint>

namespace tessera {

namespace {

/// Sends gradients of A x back through A^T, and those of A^T v through A; differentiable in turn.
class Linear : public torch::autograd::Function<Linear> {
 public:
  static Tensor forward(torch::autograd::AutogradContext* context, const Tensor& /*input*/,
                        const Tensor* output, const LinearOperator* a, bool adjoint) {
    context->saved_data["operator"] = reinterpret_cast<std::int64_t>(a);
    context->saved_data["adjoint"] = adjoint;
    return *output;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& gradients) {
    const auto* a =
        reinterpret_cast<const LinearOperator*>(context->saved_data["operator"].toInt());
    const bool adjoint = context->saved_data["adjoint"].toBool();
    const Tensor& gradient = gradients.front();
    return {adjoint ? a->apply(gradient) : a->apply_adjoint(gradient), Tensor{}, Tensor{},
            Tensor{}};
  }
};

/// `output` as a function of `input`, where it has not recorded that itself.
Tensor recorded(const LinearOperator& a, bool adjoint, const Tensor& input, const Tensor& output) {
  if (!at::GradMode::is_enabled() || !input.requires_grad() || output.requires_grad())
    return output;
  return Linear::apply(input, &output, &a, adjoint);
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
