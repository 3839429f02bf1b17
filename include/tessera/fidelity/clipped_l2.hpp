#pragma once

#include <ATen/ops/special_erfcx.h>
#include <ATen/ops/special_log_ndtr.h>
#include <ATen/ops/sum.h>
#include <ATen/ops/where.h>

#include <algorithm>
#include <numbers>
#include <utility>
#include <vector>

#include "tessera/core/check.hpp"
#include "tessera/core/error.hpp"
#include "tessera/core/real_dot.hpp"
#include "tessera/core/text.hpp"
#include "tessera/fidelity/data_fidelity.hpp"
#include "tessera/physics/detail/image_products.hpp"
#include "tessera/physics/linear_physics.hpp"

namespace tessera {

struct ClippedL2Options {
  double sigma = 0.1;  ///< standard deviation of the noise before clipping, > 0
  double low = 0;      ///< a measurement at or below it was clipped there
  double high = 1;     ///< a measurement at or above it was clipped there; more than low
  /// prox stops once an iteration changes each image by less than this, relative, or after
  /// max_iterations.
  double tolerance = 1e-3;
  std::int64_t max_iterations = 10;
  /// For prox where A^T A has no spectrum.
  ConjugateGradientOptions conjugate_gradient = {};
};

/// Gaussian noise on measurements that were then clipped to a range, as detectors and file formats
/// do: y = clamp(A x + noise, low, high). Least squares takes what was clipped at its word, which
/// lifts dark areas and dims bright ones; this is -sigma^2 times the logarithm of the likelihood
/// (the Tobit model: Tobin, Econometrica 26, 1958; for images Foi, Signal Processing 89, 2009):
///
///     d(u, y) = 0.5 (u - y)^2                          within the range
///               -sigma^2 log Phi((low - u) / sigma)    at or below low
///               -sigma^2 log Phi((u - high) / sigma)   at or above high
///
/// Convex; its curvature is that of L2 (with sigma = 1 there) at most, so the same steps and
/// schedules hold. Each gradient applies the forward model and its adjoint, where L2 may have a
/// fused normal operator.
///
/// prox completes clipped values by their expectation given the last u and solves the least-squares
/// problem that remains, in turn (expectation maximisation: Dempster, Laird and Rubin, J. R. Stat.
/// Soc. B 39, 1977), from z; each round lowers the objective. An image of a batch that has settled
/// is left alone, so that each ends as if it were the only one.
class ClippedL2 : public DataFidelity {
 public:
  /// Collective if the physics is distributed. Throws error::InvalidArgument for options that
  /// cannot be, and for measurements that are complex.
  ClippedL2(LinearPhysicsPtr physics, TensorList measurements, ClippedL2Options options);

  std::string name() const override { return "clipped_l2"; }
  const ClippedL2Options& options() const { return options_; }

 private:
  inline Tensor do_prox(const Tensor& z, double step) const override;
  inline double do_distance(const Tensor& u, const Tensor& y) const override;
  inline Tensor do_distance_gradient(const Tensor& u, const Tensor& y) const override;

  /// Of each image of the batch: 1 if it changed by more than the tolerance, else 0.
  std::vector<double> unsettled(const Tensor& u, const Tensor& last) const;

  /// What was clipped at one end of the range.
  struct End {
    Tensor places;   ///< of y as a vector
    Tensor depth;    ///< how far u lies on the inner side of the end there, in standard deviations
    double inwards;  ///< 1 at the low end, -1 at the high one
  };
  /// Few values are clipped as a rule, and what they need costs several times as much.
  std::vector<End> clipped(const Tensor& u, const Tensor& y) const;

  LinearPhysicsPtr linear_;
  ClippedL2Options options_;
};

inline ClippedL2::ClippedL2(LinearPhysicsPtr physics, TensorList measurements,
                            ClippedL2Options options)
    : DataFidelity(physics, std::move(measurements)),
      linear_(std::move(physics)),
      options_(options) {
  check_positive(options_.sigma, "ClippedL2", "sigma");
  check_not_negative(options_.tolerance, "ClippedL2", "tolerance");
  if (!(options_.low < options_.high)) {
    throw error::InvalidArgument(formatted("ClippedL2: the range is {} to {}, expected low < high",
                                           options_.low, options_.high));
  }
  for (const Tensor& y : this->measurements()) {
    if (y.is_complex()) {
      throw error::InvalidArgument(
          "ClippedL2: complex measurements have no range to be clipped to");
    }
  }
  if (options_.max_iterations < 1) {
    throw error::InvalidArgument(
        formatted("ClippedL2: max_iterations is {}, expected 1 or more", options_.max_iterations));
  }
}

inline std::vector<ClippedL2::End> ClippedL2::clipped(const Tensor& u, const Tensor& y) const {
  const auto end = [&](const Tensor& here, double limit, double inwards) {
    const Tensor places = here.reshape({-1}).nonzero().squeeze(1);
    Tensor depth = u.reshape({-1}).index_select(0, places);
    depth.sub_(limit).mul_(inwards / options_.sigma);
    return End{places, depth, inwards};
  };
  return {end(y <= options_.low, options_.low, 1), end(y >= options_.high, options_.high, -1)};
}

inline double ClippedL2::do_distance(const Tensor& u, const Tensor& y) const {
  Tensor residual = (u - y).reshape({-1});
  double sum = 0;
  for (const End& end : clipped(u, y)) {
    residual.index_fill_(0, end.places, 0);
    sum -= at::sum(at::special_log_ndtr(-end.depth), at::kDouble).item<double>();
  }
  return options_.sigma * options_.sigma * sum + 0.5 * real_dot(residual, residual);
}

inline Tensor ClippedL2::do_distance_gradient(const Tensor& u, const Tensor& y) const {
  Tensor gradient = (u - y).reshape({-1});
  for (const End& end : clipped(u, y)) {
    // sigma E[n | n > depth] for standard Gaussian n: density over tail probability, neither of
    // which may underflow by itself.
    constexpr double scale = std::numbers::sqrt2 * std::numbers::inv_sqrtpi;
    Tensor beyond = at::special_erfcx(end.depth / std::numbers::sqrt2).reciprocal_();
    gradient.index_copy_(0, end.places, beyond.mul_(end.inwards * scale * options_.sigma));
  }
  return gradient.view(u.sizes());
}

inline std::vector<double> ClippedL2::unsettled(const Tensor& u, const Tensor& last) const {
  std::vector<double> changes = detail::norm_each(u - last, u.size(0));
  const std::vector<double> norms = detail::norm_each(u, u.size(0));
  for (std::size_t i = 0; i < changes.size(); ++i) {
    changes[i] = changes[i] > options_.tolerance * norms[i] ? 1 : 0;
  }
  detail::share(physics().communicator(), "clipped_l2.prox", changes);
  return changes;
}

inline Tensor ClippedL2::do_prox(const Tensor& z, double step) const {
  // (A^T A + c I) u = c z + A^T y with c = 1 / step
  const double shift = 1 / step;
  Tensor u = z;
  std::vector<double> active(static_cast<std::size_t>(z.size(0)), 1.0);
  for (std::int64_t i = 0; i < options_.max_iterations; ++i) {
    TensorList y = predicted(u);
    // Completed by expectation: the prediction where that explains what was measured.
    for (std::size_t k = 0; k < y.size(); ++k) {
      y[k] = y[k] - do_distance_gradient(y[k], measurements()[k]);
    }
    const Tensor next = linear_->solve_normal(linear_->adjoint(y) + shift * z, shift,
                                              options_.conjugate_gradient, u);
    const Tensor last = std::exchange(u, at::where(detail::per_group(active, u) > 0, next, u));
    active = unsettled(u, last);
    if (std::find(active.begin(), active.end(), 1.0) == active.end()) break;
  }
  return u;
}

}  // namespace tessera
