// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/ops/abs.h>
#include <ATen/ops/sum.h>
#include <ATen/ops/where.h>

#include <optional>

#include "tessera/fidelity/distance.hpp"

namespace tessera {

/// Squares of small residuals, magnitudes of large ones (Huber, Ann. Math. Stat. 35, 1964), with
/// r = |u - y|:
///
///     d(u, y) = r^2 / (2 delta)   for r <= delta
///               r - delta / 2     beyond
///
/// Convex, with curvature 1 / delta: the robust distance for gradient steps. Complex measurements
/// count by magnitude.
class HuberDistance : public Distance {
 public:
  /// delta > 0, in units of the measurement, else error::InvalidArgument.
  explicit HuberDistance(double delta) : delta_(delta) {
    check_positive(delta_, "HuberDistance", "delta");
  }

  std::string name() const override { return "huber_distance"; }
  bool is_convex() const override { return true; }
  double delta() const { return delta_; }

 private:
  double do_value(const Tensor& u, const Tensor& y) const override {
    const Tensor r = at::abs(u - y);
    const Tensor each = at::where(r <= delta_, r.square() / (2 * delta_), r - 0.5 * delta_);
    return at::sum(each, at::kDouble).item<double>();
  }
  Tensor do_gradient(const Tensor& u, const Tensor& y) const override {
    const Tensor residual = u - y;
    return residual / at::abs(residual).clamp_min_(delta_);
  }
  /// r <= delta + step: y + (u - y) delta / (delta + step); beyond: step less far from y.
  Tensor do_prox(const Tensor& u, const Tensor& y, double step) const override {
    const Tensor residual = u - y;
    return u - residual * (step / at::abs(residual).clamp_min_(delta_ + step));
  }
  std::optional<double> do_curvature(const Tensor& /*y*/) const override { return 1 / delta_; }

  double delta_;
};

}  // namespace tessera
