// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/ops/where.h>

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "tessera/comm/detail/image_products.hpp"
#include "tessera/physics/detail/conjugate_gradient_loop.hpp"
#include "tessera/physics/linear_physics.hpp"

/// The systems that a linear forward model gives conjugate gradients to solve.
namespace tessera::detail {

/// (A^T A + shift I) x = b, from the normal operator.
class ShiftedNormal final : public NormalEquations {
 public:
  ShiftedNormal(const LinearPhysics& physics, Tensor b, double shift)
      : physics_(physics), b_(std::move(b)), shift_(shift), residual_(b_) {}

  Tensor exact_residual(const Tensor& x) override {
    exact_ = b_ - apply(x);
    return exact_;
  }
  double flatness(double epsilon) const override { return epsilon; }
  void adopt(const Tensor& groups) override { residual_ = at::where(groups, exact_, residual_); }
  Tensor residual() override { return residual_; }
  std::vector<double> curvature(const Tensor& p) override {
    image_ = apply(p);
    return physics_.space().dot_each(p, image_);
  }
  void advance(const Tensor& lengths) override { residual_ = residual_ - lengths * image_; }

 private:
  Tensor apply(const Tensor& x) const { return physics_.normal(x).add(x, shift_); }

  const LinearPhysics& physics_;
  Tensor b_;
  double shift_;
  Tensor residual_;
  Tensor exact_;
  Tensor image_;
};

/// A value for each group, shaped to multiply a measurement.
inline Tensor fitted(const Tensor& values, const Tensor& measurement) {
  std::vector<std::int64_t> shape(static_cast<std::size_t>(measurement.dim()), 1);
  if (!shape.empty()) shape.front() = values.numel();
  return values.view(shape);
}

/// The norm of each image's part of the held measurements together. Local.
inline std::vector<double> joint_norms(const TensorList& measurements, std::int64_t groups) {
  std::vector<double> norms(static_cast<std::size_t>(groups), 0.0);
  for (const Tensor& one : measurements) {
    const std::vector<double> more = norm_each(one, groups);
    for (std::size_t i = 0; i < norms.size(); ++i) norms[i] = std::hypot(norms[i], more[i]);
  }
  return norms;
}

/// A^T A x = A^T y, from A and its adjoint, with the residual y - A x kept. `scale` multiplies A.
class LeastSquares final : public NormalEquations {
 public:
  LeastSquares(const LinearPhysics& physics, double scale, TensorList y, std::int64_t groups,
               const std::string& who)
      : physics_(physics),
        scale_(scale),
        y_(std::move(y)),
        groups_(groups),
        who_(who),
        residual_(y_) {}

  Tensor exact_residual(const Tensor& x) override {
    exact_ = physics_.forward(scale_ * x);
    for (std::size_t i = 0; i < y_.size(); ++i) exact_[i] = y_[i] - exact_[i];
    return scale_ * physics_.adjoint(exact_);
  }
  /// ||A p|| is right to a few epsilon of ||A|| ||p||.
  double flatness(double epsilon) const override { return 256 * epsilon * epsilon; }
  void adopt(const Tensor& groups) override {
    for (std::size_t i = 0; i < y_.size(); ++i) {
      residual_[i] = at::where(fitted(groups, y_[i]), exact_[i], residual_[i]);
    }
  }
  Tensor residual() override { return scale_ * physics_.adjoint(residual_); }
  std::vector<double> curvature(const Tensor& p) override {
    images_ = physics_.forward(scale_ * p);
    std::vector<double> norms =
        norms_over_ranks(physics_.communicator(), who_, physics_.measurement_weight(),
                         joint_norms(images_, groups_));
    for (double& norm : norms) norm *= norm;
    return norms;
  }
  void advance(const Tensor& lengths) override {
    for (std::size_t i = 0; i < images_.size(); ++i) {
      residual_[i] = residual_[i] - fitted(lengths, images_[i]) * images_[i];
    }
  }

 private:
  const LinearPhysics& physics_;
  double scale_;
  TensorList y_;
  std::int64_t groups_;
  const std::string& who_;
  TensorList residual_;
  TensorList exact_;
  TensorList images_;
};

}  // namespace tessera::detail
