// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <functional>
#include <vector>

#include "tessera/core/error.hpp"
#include "tessera/core/text.hpp"
#include "tessera/physics/detail/shared_transforms.hpp"
#include "tessera/physics/linear_physics.hpp"

namespace tessera {

/// Several linear operators on the same image, y_i = A_i x, all held by this rank: the serial truth
/// that DistributedPhysics reproduces.
///
/// Operators on images that ranks share out (space()) are all of one space, and so is the stack.
/// Its adjoint is the sum of theirs. A^T A has a filter if each operator's has one, all of one
/// kind: the sum of them.
class StackedPhysics : public LinearPhysics {
 public:
  /// One operator each (operator_count() == 1), not distributed, of one space; else
  /// error::InvalidArgument.
  explicit StackedPhysics(std::vector<LinearPhysicsPtr> operators);

  /// `count` operators, made by factory(0), factory(1), ...
  StackedPhysics(std::int64_t count, const std::function<LinearPhysicsPtr(std::int64_t)>& factory);

  std::string name() const override { return "stacked"; }
  std::int64_t operator_count() const override {
    return static_cast<std::int64_t>(operators_.size());
  }
  Communicator& communicator() const override { return operators_.front()->communicator(); }
  const ImageSpace& space() const override { return operators_.front()->space(); }
  /// Operator `index` alone; error::InvalidArgument beyond the last.
  const LinearPhysics& at(std::int64_t index) const;
  const std::vector<LinearPhysicsPtr>& operators() const { return operators_; }
  /// The operators of these indices, in this order: for methods that take some of the data at a
  /// time. error::InvalidArgument without any, or beyond the last.
  StackedPhysics subset(const std::vector<std::int64_t>& indices) const;

  /// (1/N) sum_i A_i^+ y_i. Not the least-squares solution, which pseudo_inverse gives: a cheap
  /// starting point, since each operator is inverted alone.
  Tensor mean_of_pseudo_inverses(const TensorList& y,
                                 const ConjugateGradientOptions& options = {}) const;

 private:
  const LinearPhysicsPtr& held_at(std::int64_t index, const char* function) const;

  inline TensorList do_forward(const Tensor& x) const override;
  inline TensorList do_measure(const Tensor& x) const override;
  inline Tensor do_adjoint(const TensorList& v) const override;
  inline Tensor do_normal(const Tensor& x) const override;
  inline bool do_has_fused_normal(const Tensor& x) const override;
  inline NormalFilter do_normal_filter(const Tensor& x) const override;

  std::vector<LinearPhysicsPtr> operators_;
};

namespace detail {

inline std::vector<LinearPhysicsPtr> operators_from(
    std::int64_t count, const std::function<LinearPhysicsPtr(std::int64_t)>& factory) {
  std::vector<LinearPhysicsPtr> operators;
  for (std::int64_t i = 0; i < count; ++i) operators.push_back(factory(i));
  return operators;
}

}  // namespace detail

inline StackedPhysics::StackedPhysics(std::vector<LinearPhysicsPtr> operators)
    : operators_(std::move(operators)) {
  if (operators_.empty())
    throw error::InvalidArgument("stacked: needs at least one operator, got none");
  for (std::size_t i = 0; i < operators_.size(); ++i) {
    if (!operators_[i]) throw error::InvalidArgument(formatted("stacked: operator {} is null", i));
    const ImageSpace& space = operators_[i]->space();
    if (&space != &operators_.front()->space()) {
      throw error::InvalidArgument(
          formatted("stacked: operator {} ({}) is for images that are shared out otherwise than "
                    "those of operator 0 ({})",
                    i, operators_[i]->name(), operators_.front()->name()));
    }
    const bool shares_operators =
        operators_[i]->communicator().size() != space.communicator().size();
    if (operators_[i]->operator_count() != 1 || shares_operators) {
      throw error::InvalidArgument(
          formatted("stacked: operator {} ({}) is {} operators on {} ranks, expected one on one", i,
                    operators_[i]->name(), operators_[i]->operator_count(),
                    operators_[i]->communicator().size()));
    }
  }
}

inline StackedPhysics::StackedPhysics(std::int64_t count,
                                      const std::function<LinearPhysicsPtr(std::int64_t)>& factory)
    : StackedPhysics(detail::operators_from(count, factory)) {}

inline const LinearPhysicsPtr& StackedPhysics::held_at(std::int64_t index,
                                                       const char* function) const {
  if (index < 0 || index >= operator_count()) {
    throw error::InvalidArgument(formatted("stacked.{}: index is {}, expected 0 to {}", function,
                                           index, operator_count() - 1));
  }
  return operators_[static_cast<std::size_t>(index)];
}

inline const LinearPhysics& StackedPhysics::at(std::int64_t index) const {
  return *held_at(index, "at");
}

inline StackedPhysics StackedPhysics::subset(const std::vector<std::int64_t>& indices) const {
  std::vector<LinearPhysicsPtr> some;
  for (const std::int64_t index : indices) some.push_back(held_at(index, "subset"));
  return StackedPhysics(std::move(some));
}

inline TensorList StackedPhysics::do_forward(const Tensor& x) const {
  return detail::forward_each(operators_, x);
}

inline TensorList StackedPhysics::do_measure(const Tensor& x) const {
  TensorList y;
  for (const auto& a : operators_) y.push_back(a->measure(x).front());
  return y;
}

inline Tensor StackedPhysics::do_adjoint(const TensorList& v) const {
  return detail::adjoint_sum(operators_, v, "stacked.adjoint");
}

inline Tensor StackedPhysics::do_normal(const Tensor& x) const {
  if (!has_fused_normal(x)) return adjoint(forward(x));
  Tensor sum = operators_.front()->normal(x);
  for (std::size_t i = 1; i < operators_.size(); ++i) sum = sum + operators_[i]->normal(x);
  return sum;
}

inline bool StackedPhysics::do_has_fused_normal(const Tensor& x) const {
  return detail::all_have_fused_normals(operators_, x);
}

inline NormalFilter StackedPhysics::do_normal_filter(const Tensor& x) const {
  return detail::sum_of_filters(operators_, x);
}

inline Tensor StackedPhysics::mean_of_pseudo_inverses(
    const TensorList& y, const ConjugateGradientOptions& options) const {
  check_measurements(y, "mean_of_pseudo_inverses");
  Tensor sum = operators_.front()->pseudo_inverse({y.front()}, options);
  for (std::size_t i = 1; i < y.size(); ++i)
    sum = sum + operators_[i]->pseudo_inverse({y[i]}, options);
  return sum / static_cast<double>(y.size());
}

}  // namespace tessera
