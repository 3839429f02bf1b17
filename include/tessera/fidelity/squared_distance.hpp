// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "tessera/core/real_dot.hpp"
#include "tessera/fidelity/distance.hpp"

namespace tessera {

/// d(u, y) = 0.5 / sigma^2 |u - y|^2, the distance of Gaussian noise with standard deviation sigma
/// (of the real and of the imaginary part each, where u and y are complex).
class SquaredDistance : public Distance {
 public:
  /// sigma > 0, else error::InvalidArgument.
  explicit SquaredDistance(double sigma = 1.0) : sigma_(sigma) {
    check_positive(sigma_, "SquaredDistance", "sigma");
  }

  std::string name() const override { return "squared_distance"; }
  bool is_convex() const override { return true; }
  double sigma() const { return sigma_; }

 private:
  double do_value(const Tensor& u, const Tensor& y) const override {
    const Tensor residual = u - y;
    return 0.5 * real_dot(residual, residual) / (sigma_ * sigma_);
  }
  Tensor do_gradient(const Tensor& u, const Tensor& y) const override {
    const Tensor residual = u - y;
    return sigma_ == 1.0 ? residual : residual / (sigma_ * sigma_);
  }
  /// (sigma^2 u + step y) / (sigma^2 + step)
  Tensor do_prox(const Tensor& u, const Tensor& y, double step) const override {
    return u + (y - u) * (step / (sigma_ * sigma_ + step));
  }
  std::optional<double> do_curvature(const Tensor& /*y*/) const override {
    return 1 / (sigma_ * sigma_);
  }

  double sigma_;
};

}  // namespace tessera
