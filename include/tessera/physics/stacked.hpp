#pragma once

#include <functional>
#include <vector>

#include "tessera/physics/linear_physics.hpp"

namespace tessera {

/// Several linear operators on the same image, y_i = A_i x, all held by this rank: the serial truth
/// that DistributedPhysics reproduces.
///
/// Its adjoint is the sum of theirs. A^T A has a spectrum if each operator's has one: the sum of
/// them.
class StackedPhysics : public LinearPhysics {
 public:
  /// One operator each (operator_count() == 1), not distributed; else error::InvalidArgument.
  explicit StackedPhysics(std::vector<LinearPhysicsPtr> operators);

  /// `count` operators, made by factory(0), factory(1), ...
  StackedPhysics(std::int64_t count, const std::function<LinearPhysicsPtr(std::int64_t)>& factory);

  std::string name() const override { return "stacked"; }
  std::int64_t operator_count() const override {
    return static_cast<std::int64_t>(operators_.size());
  }
  /// Operator `index` alone; error::InvalidArgument beyond the last.
  const LinearPhysics& at(std::int64_t index) const;
  const std::vector<LinearPhysicsPtr>& operators() const { return operators_; }

  /// (1/N) sum_i A_i^+ y_i. Not the least-squares solution, which pseudo_inverse gives: a cheap
  /// starting point, since each operator is inverted alone.
  Tensor mean_of_pseudo_inverses(const TensorList& y,
                                 const ConjugateGradientOptions& options = {}) const;

 private:
  TensorList do_forward(const Tensor& x) const override;
  TensorList do_measure(const Tensor& x) const override;
  Tensor do_adjoint(const TensorList& v) const override;
  Tensor do_normal_spectrum(const Tensor& x) const override;

  std::vector<LinearPhysicsPtr> operators_;
};

}  // namespace tessera
