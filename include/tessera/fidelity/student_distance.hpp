// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/ops/abs.h>
#include <ATen/ops/log1p.h>
#include <ATen/ops/sum.h>

#include <optional>

#include "tessera/fidelity/distance.hpp"

namespace tessera {

/// The distance of Student's t noise with `freedom` degrees of freedom and a scale s (Lange, Little
/// and Taylor, JASA 84, 1989), with r = |u - y|:
///
///     d(u, y) = (freedom + 1) / 2 log(1 + r^2 / (freedom s^2))
///
/// Gross errors cost their logarithm: they are given up, not averaged. Not convex beyond r = s
/// sqrt(freedom); no proximal operator. Complex measurements count by magnitude.
class StudentDistance : public Distance {
 public:
  /// freedom > 0 and scale > 0, the latter in units of the measurement, else
  /// error::InvalidArgument.
  StudentDistance(double freedom, double scale) : freedom_(freedom), scale_(scale) {
    check_positive(freedom_, "StudentDistance", "freedom");
    check_positive(scale_, "StudentDistance", "scale");
  }

  std::string name() const override { return "student_distance"; }
  double freedom() const { return freedom_; }
  double scale() const { return scale_; }

 private:
  double width() const { return freedom_ * scale_ * scale_; }
  double do_value(const Tensor& u, const Tensor& y) const override {
    const Tensor each = at::log1p(at::abs(u - y).square() / width());
    return 0.5 * (freedom_ + 1) * at::sum(each, at::kDouble).item<double>();
  }
  Tensor do_gradient(const Tensor& u, const Tensor& y) const override {
    const Tensor residual = u - y;
    return (freedom_ + 1) * residual / (width() + at::abs(residual).square());
  }
  std::optional<double> do_curvature(const Tensor& /*y*/) const override {
    return (freedom_ + 1) / width();
  }

  double freedom_;
  double scale_;
};

}  // namespace tessera
