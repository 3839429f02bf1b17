#include "shared_transforms.hpp"

#include <fmt/format.h>

#include "convolution.hpp"

namespace tessera::detail {

TensorList forward_each(const std::vector<LinearPhysicsPtr>& operators, const Tensor& x) {
  TensorList y;
  Tensor transformed;
  for (const LinearPhysicsPtr& one : operators) {
    const Tensor transfer = one->transfer_function(x);
    if (!transfer.defined()) {
      y.push_back(one->forward(x).front());
      continue;
    }
    if (!transformed.defined()) transformed = to_fourier(x);
    y.push_back(from_fourier(transformed * transfer, x));
  }
  return y;
}

void adjoint_terms(const std::vector<LinearPhysicsPtr>& operators, const TensorList& v,
                   const std::string& who, const std::function<void(const Tensor&)>& add) {
  Tensor sum;
  Tensor like;
  for (std::size_t i = 0; i < operators.size(); ++i) {
    const Tensor transfer = operators[i]->transfer_function(v[i]);
    if (!transfer.defined()) {
      add(operators[i]->adjoint({v[i]}));
      continue;
    }
    if (like.defined()) {
      check_like(v[i], like, fmt::format("{}: the measurement of held operator {}", who, i));
    } else {
      like = v[i];
    }
    Tensor term = to_fourier(v[i]);
    term.mul_(transfer.conj());
    sum = sum.defined() ? sum.add_(term) : term;
  }
  if (sum.defined()) add(from_fourier(sum, like));
}

}  // namespace tessera::detail
