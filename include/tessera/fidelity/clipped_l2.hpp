// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/ops/where.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "tessera/comm/detail/image_products.hpp"
#include "tessera/core/check.hpp"
#include "tessera/core/error.hpp"
#include "tessera/core/text.hpp"
#include "tessera/fidelity/clipped_squared_distance.hpp"
#include "tessera/fidelity/data_fidelity.hpp"
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
  /// For prox where A^T A has no exact inverse.
  ConjugateGradientOptions conjugate_gradient = {};
};

/// Gaussian noise on measurements that were then clipped to a range, as detectors and file formats
/// do: y = clamp(A x + noise, low, high). Least squares takes what was clipped at its word, which
/// lifts dark areas and dims bright ones; this is -sigma^2 times the logarithm of the likelihood,
/// ClippedSquaredDistance.
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

  /// Of each image of the batch: 1 if it changed by more than the tolerance, else 0.
  std::vector<double> unsettled(const Tensor& u, const Tensor& last) const;

  LinearPhysicsPtr linear_;
  ClippedL2Options options_;
};

inline ClippedL2::ClippedL2(LinearPhysicsPtr physics, TensorList measurements,
                            ClippedL2Options options)
    : DataFidelity(physics, std::move(measurements),
                   [&] {
                     return std::make_shared<ClippedSquaredDistance>(ClippedSquaredDistanceOptions{
                         .low = options.low, .high = options.high, .sigma = options.sigma});
                   }),
      linear_(std::move(physics)),
      options_(options) {
  check_not_negative(options_.tolerance, "ClippedL2", "tolerance");
  if (options_.max_iterations < 1) {
    throw error::InvalidArgument(
        formatted("ClippedL2: max_iterations is {}, expected 1 or more", options_.max_iterations));
  }
}

inline std::vector<double> ClippedL2::unsettled(const Tensor& u, const Tensor& last) const {
  std::vector<double> changes = space().norm_each(u - last, u.size(0));
  const std::vector<double> norms = space().norm_each(u, u.size(0));
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
      y[k] = y[k] - distance().gradient(y[k], measurements()[k]);
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
