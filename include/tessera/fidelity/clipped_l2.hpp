#pragma once

#include <vector>

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
  Tensor do_prox(const Tensor& z, double step) const override;
  double do_distance(const Tensor& u, const Tensor& y) const override;
  Tensor do_distance_gradient(const Tensor& u, const Tensor& y) const override;

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

}  // namespace tessera
