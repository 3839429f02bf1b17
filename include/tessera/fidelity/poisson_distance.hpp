// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/ops/sqrt.h>
#include <ATen/ops/sum.h>
#include <ATen/ops/where.h>
#include <ATen/ops/xlogy.h>

#include <limits>
#include <optional>

#include "tessera/fidelity/detail/check_real_nonnegative.hpp"
#include "tessera/fidelity/distance.hpp"

namespace tessera {

struct PoissonDistanceOptions {
  double gain = 1;        ///< what one count adds to a measurement, > 0
  double background = 0;  ///< expected in every measurement beside u, in its units, >= 0
};

/// The distance of counted photons or events, y / gain ~ Poisson((u + b) / gain): the negative
/// logarithm of the likelihood, up to a constant that makes it 0 at u + b = y (generalised
/// Kullback-Leibler divergence; Csiszar, Ann. Stat. 19, 1991), for u + b >= 0:
///
///     d(u, y) = (u + b - y + y log(y / (u + b))) / gain,   infinite for u + b < 0
///
/// y >= 0 and real, which check_data asks for. Its gradient, (1 - y / (u + b)) / gain, exists for
/// u + b > 0; at and below 0 it is infinite where y > 0. Convex; its curvature is bounded only by a
/// background, on u >= 0: keep iterates there by a clamp_range. Not for complex measurements.
class PoissonDistance : public Distance {
 public:
  explicit PoissonDistance(PoissonDistanceOptions options = {});

  std::string name() const override { return "poisson_distance"; }
  bool is_convex() const override { return true; }
  const PoissonDistanceOptions& options() const { return options_; }
  void check_data(const Tensor& y) const override {
    detail::check_real_nonnegative(y, name(), "counts times the gain");
  }
  /// y / (u + b), what was counted beside what was expected; 0 where nothing was counted.
  inline Tensor ratio(const Tensor& u, const Tensor& y) const;

 private:
  inline double do_value(const Tensor& u, const Tensor& y) const override;
  inline Tensor do_gradient(const Tensor& u, const Tensor& y) const override;
  /// The positive root z of z^2 + (t - a) z - t y = 0, a = u + b, t = step / gain; less b.
  inline Tensor do_prox(const Tensor& u, const Tensor& y, double step) const override;
  /// max y / (gain b^2).
  inline std::optional<double> do_curvature(const Tensor& y) const override;

  PoissonDistanceOptions options_;
};

inline PoissonDistance::PoissonDistance(PoissonDistanceOptions options) : options_(options) {
  check_positive(options_.gain, "PoissonDistance", "gain");
  check_not_negative(options_.background, "PoissonDistance", "background");
}

inline Tensor PoissonDistance::ratio(const Tensor& u, const Tensor& y) const {
  const Tensor mean = (u + options_.background).clamp_min_(0);
  return at::where(y > 0, y / mean, 0.0);
}

inline double PoissonDistance::do_value(const Tensor& u, const Tensor& y) const {
  const Tensor mean = u + options_.background;
  if ((mean < 0).any().item<bool>()) return std::numeric_limits<double>::infinity();
  // xlogy(0, 0) = 0, and y log y - y log 0 is infinite for y > 0.
  const Tensor each = mean - y + at::xlogy(y, y) - at::xlogy(y, mean);
  return at::sum(each, at::kDouble).item<double>() / options_.gain;
}

inline Tensor PoissonDistance::do_gradient(const Tensor& u, const Tensor& y) const {
  return (1 - ratio(u, y)) / options_.gain;
}

inline Tensor PoissonDistance::do_prox(const Tensor& u, const Tensor& y, double step) const {
  const double t = step / options_.gain;
  const Tensor half = 0.5 * (u + (options_.background - t));
  const Tensor root = at::sqrt(half.square() + t * y);
  // Of two forms of the root the one that does not cancel.
  const Tensor far = t * y / (root - half);
  const Tensor z = at::where(half >= 0, half + root, at::where(y > 0, far, 0.0));
  return z - options_.background;
}

inline std::optional<double> PoissonDistance::do_curvature(const Tensor& y) const {
  const double b = options_.background;
  if (b == 0) return std::nullopt;
  return y.numel() == 0 ? 0.0 : y.max().item<double>() / (options_.gain * b * b);
}

}  // namespace tessera
