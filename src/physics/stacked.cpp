#include "tessera/physics/stacked.hpp"

#include <fmt/format.h>

#include "shared_transforms.hpp"
#include "tessera/core/error.hpp"

namespace tessera {

namespace {

std::vector<LinearPhysicsPtr> make(std::int64_t count,
                                   const std::function<LinearPhysicsPtr(std::int64_t)>& factory) {
  std::vector<LinearPhysicsPtr> operators;
  for (std::int64_t i = 0; i < count; ++i) operators.push_back(factory(i));
  return operators;
}

}  // namespace

StackedPhysics::StackedPhysics(std::vector<LinearPhysicsPtr> operators)
    : operators_(std::move(operators)) {
  if (operators_.empty())
    throw error::InvalidArgument("stacked: needs at least one operator, got none");
  for (std::size_t i = 0; i < operators_.size(); ++i) {
    if (!operators_[i])
      throw error::InvalidArgument(fmt::format("stacked: operator {} is null", i));
    if (operators_[i]->operator_count() != 1 || operators_[i]->communicator().size() != 1) {
      throw error::InvalidArgument(
          fmt::format("stacked: operator {} ({}) is {} operators on {} ranks, expected one on one",
                      i, operators_[i]->name(), operators_[i]->operator_count(),
                      operators_[i]->communicator().size()));
    }
  }
}

StackedPhysics::StackedPhysics(std::int64_t count,
                               const std::function<LinearPhysicsPtr(std::int64_t)>& factory)
    : StackedPhysics(make(count, factory)) {}

const LinearPhysics& StackedPhysics::at(std::int64_t index) const {
  if (index < 0 || index >= operator_count()) {
    throw error::InvalidArgument(
        fmt::format("stacked.at: index is {}, expected 0 to {}", index, operator_count() - 1));
  }
  return *operators_[static_cast<std::size_t>(index)];
}

TensorList StackedPhysics::do_forward(const Tensor& x) const {
  return detail::forward_each(operators_, x);
}

TensorList StackedPhysics::do_measure(const Tensor& x) const {
  TensorList y;
  for (const auto& a : operators_) y.push_back(a->measure(x).front());
  return y;
}

Tensor StackedPhysics::do_adjoint(const TensorList& v) const {
  return detail::adjoint_sum(operators_, v, "stacked.adjoint");
}

Tensor StackedPhysics::do_normal_spectrum(const Tensor& x) const {
  Tensor sum;
  for (const auto& a : operators_) {
    const Tensor spectrum = a->normal_spectrum(x);
    if (!spectrum.defined()) return {};
    sum = sum.defined() ? sum + spectrum : spectrum;
  }
  return sum;
}

Tensor StackedPhysics::mean_of_pseudo_inverses(const TensorList& y,
                                               const ConjugateGradientOptions& options) const {
  check_measurements(y, "mean_of_pseudo_inverses");
  Tensor sum = operators_.front()->pseudo_inverse({y.front()}, options);
  for (std::size_t i = 1; i < y.size(); ++i)
    sum = sum + operators_[i]->pseudo_inverse({y[i]}, options);
  return sum / static_cast<double>(y.size());
}

}  // namespace tessera
