// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/ops/special_erfcx.h>
#include <ATen/ops/special_log_ndtr.h>
#include <ATen/ops/sum.h>

#include <cmath>
#include <limits>
#include <numbers>
#include <vector>

#include "tessera/core/error.hpp"
#include "tessera/core/real_dot.hpp"
#include "tessera/core/text.hpp"
#include "tessera/fidelity/distance.hpp"

namespace tessera {

struct ClippedSquaredDistanceOptions {
  double low = 0;      ///< a measurement at or below it was clipped there
  double high = 1;     ///< a measurement at or above it was clipped there; more than low
  double sigma = 0.1;  ///< standard deviation of the noise before clipping, > 0
};

/// The distance of Gaussian noise on measurements that were then clipped to a range: -sigma^2 times
/// the logarithm of the likelihood of y = clamp(u + noise, low, high) (the Tobit model: Tobin,
/// Econometrica 26, 1958; for images Foi, Signal Processing 89, 2009):
///
///     d(u, y) = 0.5 (u - y)^2                          within the range
///               -sigma^2 log Phi((low - u) / sigma)    at or below low
///               -sigma^2 log Phi((u - high) / sigma)   at or above high
///
/// Convex, its curvature at most 1. Not for complex measurements, which have no range: check_data
/// refuses them.
class ClippedSquaredDistance : public Distance {
 public:
  /// Throws error::InvalidArgument unless sigma > 0 and low < high.
  explicit ClippedSquaredDistance(ClippedSquaredDistanceOptions options);

  std::string name() const override { return "clipped_squared_distance"; }
  bool is_convex() const override { return true; }
  const ClippedSquaredDistanceOptions& options() const { return options_; }
  inline void check_data(const Tensor& y) const override;

 private:
  inline double do_value(const Tensor& u, const Tensor& y) const override;
  inline Tensor do_gradient(const Tensor& u, const Tensor& y) const override;
  /// Newton's method where y was clipped.
  inline Tensor do_prox(const Tensor& u, const Tensor& y, double step) const override;
  std::optional<double> do_curvature(const Tensor& /*y*/) const override { return 1.0; }

  /// What was clipped at one end of the range.
  struct End {
    Tensor places;   ///< of y as a vector
    Tensor depth;    ///< how far u lies on the inner side of the end there, in standard deviations
    double limit;    ///< low or high
    double inwards;  ///< 1 at the low end, -1 at the high one
  };
  /// Few values are clipped as a rule, and what they need costs several times as much.
  std::vector<End> clipped(const Tensor& u, const Tensor& y) const;

  ClippedSquaredDistanceOptions options_;
};

namespace detail {

/// E[n | n > depth] for n ~ N(0, 1): density over tail probability, neither of which may underflow
/// by itself.
inline Tensor mean_beyond(const Tensor& depth) {
  constexpr double scale = std::numbers::sqrt2 * std::numbers::inv_sqrtpi;
  return at::special_erfcx(depth / std::numbers::sqrt2).reciprocal_().mul_(scale);
}

/// The w with w + step mean_beyond(w) = depth. The left side is increasing and convex, and the root
/// lies below `depth`, so that Newton's method falls towards it from there.
inline Tensor depth_after_step(const Tensor& depth, double step) {
  constexpr int most_iterations = 100;
  const double epsilon = depth.scalar_type() == at::kDouble ? std::numeric_limits<double>::epsilon()
                                                            : std::numeric_limits<float>::epsilon();
  Tensor w = depth;
  for (int i = 0; i < most_iterations; ++i) {
    const Tensor mean = mean_beyond(w);
    const Tensor slope = (mean * (mean - w)).clamp_(0, 1).mul_(step).add_(1);
    const Tensor change = (w + step * mean - depth).div_(slope);
    w = w - change;
    if (!(change.abs() > 4 * epsilon * (1 + w.abs())).any().item<bool>()) break;
  }
  return w;
}

}  // namespace detail

inline ClippedSquaredDistance::ClippedSquaredDistance(ClippedSquaredDistanceOptions options)
    : options_(options) {
  check_positive(options_.sigma, "ClippedSquaredDistance", "sigma");
  if (!(options_.low < options_.high)) {
    throw error::InvalidArgument(
        formatted("ClippedSquaredDistance: the range is {} to {}, expected low < high",
                  options_.low, options_.high));
  }
}

inline void ClippedSquaredDistance::check_data(const Tensor& y) const {
  if (!y.is_complex()) return;
  throw error::InvalidArgument(
      formatted("{}: complex measurements have no range to be clipped to", name()));
}

inline std::vector<ClippedSquaredDistance::End> ClippedSquaredDistance::clipped(
    const Tensor& u, const Tensor& y) const {
  const auto end = [&](const Tensor& here, double limit, double inwards) {
    const Tensor places = here.reshape({-1}).nonzero().squeeze(1);
    Tensor depth = u.reshape({-1}).index_select(0, places);
    depth.sub_(limit).mul_(inwards / options_.sigma);
    return End{places, depth, limit, inwards};
  };
  return {end(y <= options_.low, options_.low, 1), end(y >= options_.high, options_.high, -1)};
}

inline double ClippedSquaredDistance::do_value(const Tensor& u, const Tensor& y) const {
  Tensor residual = (u - y).reshape({-1});
  double sum = 0;
  for (const End& end : clipped(u, y)) {
    residual.index_fill_(0, end.places, 0);
    sum -= at::sum(at::special_log_ndtr(-end.depth), at::kDouble).item<double>();
  }
  return options_.sigma * options_.sigma * sum + 0.5 * real_dot(residual, residual);
}

inline Tensor ClippedSquaredDistance::do_gradient(const Tensor& u, const Tensor& y) const {
  Tensor gradient = (u - y).reshape({-1});
  for (const End& end : clipped(u, y)) {
    gradient.index_copy_(0, end.places,
                         detail::mean_beyond(end.depth).mul_(end.inwards * options_.sigma));
  }
  return gradient.view(u.sizes());
}

inline Tensor ClippedSquaredDistance::do_prox(const Tensor& u, const Tensor& y, double step) const {
  Tensor result = (u + (y - u) * (step / (1 + step))).reshape({-1});
  for (const End& end : clipped(u, y)) {
    // v = u - step d'(v), in standard deviations from the end of the range.
    const Tensor depth = detail::depth_after_step(end.depth, step);
    result.index_copy_(0, end.places, (depth * (end.inwards * options_.sigma)).add_(end.limit));
  }
  return result.view(u.sizes());
}

}  // namespace tessera
