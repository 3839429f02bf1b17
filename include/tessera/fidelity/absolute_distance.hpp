// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/ops/abs.h>
#include <ATen/ops/sgn.h>
#include <ATen/ops/sum.h>

#include "tessera/fidelity/distance.hpp"

namespace tessera {

/// d(u, y) = |u - y| / scale, the distance of Laplace noise of that scale; a few measurements that
/// are altogether wrong (salt and pepper, dead pixels) move the result little. Convex, without a
/// bound of its curvature: for solvers that use its proximal operator. Complex measurements count
/// by magnitude.
class AbsoluteDistance : public Distance {
 public:
  /// scale > 0, else error::InvalidArgument.
  explicit AbsoluteDistance(double scale = 1.0) : scale_(scale) {
    check_positive(scale_, "AbsoluteDistance", "scale");
  }

  std::string name() const override { return "absolute_distance"; }
  bool is_convex() const override { return true; }
  double scale() const { return scale_; }

 private:
  double do_value(const Tensor& u, const Tensor& y) const override {
    return at::sum(at::abs(u - y), at::kDouble).item<double>() / scale_;
  }
  /// A subgradient: 0 at u = y.
  Tensor do_gradient(const Tensor& u, const Tensor& y) const override {
    return at::sgn(u - y) / scale_;
  }
  /// y + soft(u - y, step / scale).
  Tensor do_prox(const Tensor& u, const Tensor& y, double step) const override {
    const Tensor residual = u - y;
    const Tensor length = at::abs(residual);
    return y + at::sgn(residual) * (length - step / scale_).clamp_min_(0);
  }

  double scale_;
};

}  // namespace tessera
