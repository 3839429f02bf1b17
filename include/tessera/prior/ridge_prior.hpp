// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "tessera/core/state_dict.hpp"
#include "tessera/physics/spectrum_cache.hpp"
#include "tessera/prior/detail/ridge_weights.hpp"
#include "tessera/prior/prior.hpp"

namespace tessera {

/// How exactly RidgePrior::prox and RidgeDenoiser minimise.
struct RidgeOptions {
  /// Stops when the objective's gradient is at most this part of ||z||: the distance to the
  /// minimiser is then at most tolerance ||z|| / (1 - step * weak_convexity()).
  double tolerance = 1e-4;
  std::int64_t max_iterations = 500;
};

/// A learned sum of potentials of filtered images (fields of experts with one potential):
///
///     g(x) = sum_c sum_p psi_c((w_c * x)(p)),   psi_c'(t) = phi(alpha_c t) / alpha_c
///
/// with few filters w_c, an odd function phi that is linear between knots and constant beyond the
/// last, and a scale alpha_c(sigma) > 0 of each filter for the noise level that the prior belongs
/// to (Goujon, Neumayer, Unser, "Learning weakly convex regularizers for convergent
/// image-reconstruction algorithms", SIAM J. Imaging Sci. 17, 2024). If phi is negative at its last
/// knot, as of weights that sharpen edges, it first returns to 0, no more steeply than it fell:
/// else g would fall for ever along what no measurement holds, such as the margin of a valid blur.
/// Unlike a denoiser g is a function, with a value, its gradient and bounds of its curvature:
/// gradient descent converges with the step that the bounds give, and where phi never falls the
/// objective is convex.
///
/// The sum is over the places p at which a filter lies within the image: nothing is assumed beyond
/// the border. One to three spatial dimensions, that of the filters; each channel of an image by
/// itself. Half precisions are computed in float32. Local; all functions may be called from
/// several threads. Differentiable. Working memory: about 8 times the image for each filter.
///
/// The weights, any floating dtype:
///
/// | name           | shape             |                                                       |
/// |----------------|-------------------|-------------------------------------------------------|
/// | filters        | (filters, 1, k...)| each sums to 0; correlated with the image             |
/// | spline.values  | (knots)           | phi(spacing), phi(2 spacing), ...; phi(0) = 0         |
/// | spline.spacing | (1)               | > 0                                                   |
/// | levels         | (levels)          | sigma > 0, ascending                                  |
/// | log_scale      | (filters, levels) | log(alpha_c sigma): linear in log sigma, else constant|
class RidgePrior : public Prior {
 public:
  /// Of noise level sigma > 0. Throws error::ShapeMismatch for a tensor that is missing, unexpected
  /// or of another shape, error::InvalidArgument for values that are not as above.
  RidgePrior(const StateDict& weights, double sigma, RidgeOptions options = {});

  std::string name() const override { return "ridge_prior"; }
  /// g(x) in float64, all images of the batch together.
  inline std::optional<double> value(const Tensor& x) const override;
  /// The steepest part of phi times a bound of sum_c ||w_c *||^2, at most some percent too large.
  inline std::optional<double> gradient_lipschitz() const override;
  /// The least rho >= 0 known for which g(x) + 0.5 rho ||x||^2 is convex.
  double weak_convexity() const;
  bool is_convex() const override { return weak_convexity() == 0; }
  /// How far, along any axis, a pixel of the gradient reads: the extent of the filters less one.
  std::int64_t reach() const { return weights_->extent() - 1; }
  Extents filter_extents() const { return weights_->filters().sizes().slice(2).vec(); }
  /// Spatial dimensions of the images it takes.
  std::int64_t dimensions() const { return weights_->dimensions(); }
  std::int64_t filter_count() const { return weights_->count(); }
  double sigma() const { return sigma_; }

  /// The same weights at another level, > 0.
  RidgePrior at_level(double sigma) const { return {weights_, sigma, options_}; }

 private:
  RidgePrior(std::shared_ptr<const detail::RidgeWeights> weights, double sigma,
             RidgeOptions options);

  inline Tensor do_gradient(const Tensor& x) const override;
  /// Accelerated gradient steps with restarts, image by image. Throws error::InvalidArgument unless
  /// step * weak_convexity() < 1: else there may be several minimisers.
  inline Tensor do_prox(const Tensor& z, double step) const override;

  Tensor minimise(const Tensor& z, double step) const;
  /// Its images as (B * C, 1, spatial...), of the dtype to compute in.
  Tensor enter(const Tensor& x, at::ScalarType type) const;
  void check_extents(const Tensor& x) const;

  std::shared_ptr<const detail::RidgeWeights> weights_;
  double sigma_;
  RidgeOptions options_;
  ConvertedTensor scales_;  // alpha_c, (filters, 1...)
};

}  // namespace tessera

#include "tessera/prior/detail/ridge_prior.hpp"
