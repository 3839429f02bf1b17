// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>

#include "tessera/comm/agreement.hpp"
#include "tessera/core/real_dot.hpp"
#include "tessera/fidelity/data_fidelity.hpp"
#include "tessera/fidelity/squared_distance.hpp"
#include "tessera/physics/linear_physics.hpp"

namespace tessera {

struct L2Options {
  /// Standard deviation of the noise: f(x) = 0.5 / sigma^2 * sum_i ||A_i x - y_i||^2.
  double sigma = 1.0;
  /// For prox where A^T A has no exact inverse.
  ConjugateGradientOptions conjugate_gradient = {};
  /// Use A^T A x - A^T y where the normal operator makes no measurement (has_fused_normal): where
  /// it is a filter, a gradient then sends nothing. Off: always A^T (A x - y).
  bool fused = true;
  /// Keep only A^T y and ||y||^2 once the fused form is set up: frees the measurements.
  bool drop_measurements = false;
};

/// Least squares, the fidelity of Gaussian noise (SquaredDistance): f(x) = 0.5 / sigma^2 * sum_i
/// ||A_i x - y_i||^2.
///
/// Measurements may be complex; images are real.
///
/// The fused value is a difference of sums of squares, where little may be left of much. Where its
/// rounding would show (a ten-thousandth of the sums in float32) the value is computed from the
/// residuals instead; if those were dropped, it is accurate to the rounding of ||y||^2, and never
/// negative.
///
/// prox(z, step) solves (step / sigma^2 A^T A + I) u = z + step / sigma^2 A^T y: exactly in Fourier
/// space for circular blurs, by conjugate gradients from z otherwise; from a start of the caller's
/// until the residual is a tenth of that at the start, too, which is step times the gradient there
/// of what is minimised, if z is a gradient step from the start.
class L2 : public DataFidelity {
 public:
  /// Collective if the physics is distributed (it computes A^T y). `image` gives the shape, dtype
  /// and device of the images to come; only those are read.
  L2(LinearPhysicsPtr physics, TensorList measurements, const Tensor& image,
     L2Options options = {});
  /// The same for images of this kind.
  L2(LinearPhysicsPtr physics, TensorList measurements, const ImageSpec& image,
     L2Options options = {})
      : L2(std::move(physics), std::move(measurements), image.placeholder(), options) {}

  std::string name() const override { return "l2"; }
  const L2Options& options() const { return options_; }
  /// True if gradients use the fused normal operator.
  bool is_fused() const { return fused_; }
  /// A^T y, the back-projected data.
  const Tensor& adjoint_of_data() const { return adjoint_of_data_; }

 private:
  inline double do_value(const Tensor& x) const override;
  inline Tensor do_gradient(const Tensor& x) const override;
  inline Tensor do_prox(const Tensor& z, double step) const override;
  inline Tensor do_prox_from(const Tensor& z, double step, const Tensor& start) const override;
  Tensor solved(const Tensor& z, double step, const ConjugateGradientOptions& options,
                const Tensor& start) const;

  LinearPhysicsPtr linear_;
  L2Options options_;
  bool fused_ = false;
  Tensor adjoint_of_data_;
  double data_norm_squared_ = 0;
};

namespace detail {

/// How small the fused value may be beside its terms before their rounding shows in it.
inline double least_share(at::ScalarType type) {
  return type == at::kDouble ? 1e-10 : 1e-4;
}

}  // namespace detail

inline L2::L2(LinearPhysicsPtr physics, TensorList measurements, const Tensor& image,
              L2Options options)
    : DataFidelity(physics, std::move(measurements),
                   [&] { return std::make_shared<SquaredDistance>(options.sigma); }),
      linear_(std::move(physics)),
      options_(options) {
  check_image(image, "L2: image");
  fused_ = options_.fused && linear_->has_fused_normal(image);
  adjoint_of_data_ = linear_->adjoint(this->measurements());
  check_like(adjoint_of_data_, image, "L2: the adjoint of the measurements");
  double local = 0;
  for (const Tensor& y : this->measurements()) local += real_dot(y, y);
  data_norm_squared_ = linear_->sum(local);
  if (options_.drop_measurements && fused_) drop_measurements();
}

inline double L2::do_value(const Tensor& x) const {
  check_like(x, adjoint_of_data_, "l2.value: x");
  if (!fused_) return DataFidelity::do_value(x);
  const ImageSpace& space = linear_->space();
  const double squares = space.dot_each(x, linear_->normal(x), 1).front() + data_norm_squared_;
  const double value = squares - 2 * space.dot_each(x, adjoint_of_data_, 1).front();
  const bool cancels = !(value > detail::least_share(x.scalar_type()) * squares);
  if (has_measurements() && any_rank(physics().communicator(), "l2.value", cancels)) {
    return DataFidelity::do_value(x);
  }
  return 0.5 * std::max(0.0, value) / (options_.sigma * options_.sigma);
}

inline Tensor L2::do_gradient(const Tensor& x) const {
  check_like(x, adjoint_of_data_, "l2.gradient: x");
  if (!fused_) return DataFidelity::do_gradient(x);
  const Tensor difference = linear_->normal(x) - adjoint_of_data_;
  return options_.sigma == 1.0 ? difference : difference / (options_.sigma * options_.sigma);
}

inline Tensor L2::do_prox(const Tensor& z, double step) const {
  return solved(z, step, options_.conjugate_gradient, z);
}

inline Tensor L2::do_prox_from(const Tensor& z, double step, const Tensor& start) const {
  ConjugateGradientOptions options = options_.conjugate_gradient;
  options.reduction = std::min(options.reduction, 0.1);
  return solved(z, step, options, start);
}

inline Tensor L2::solved(const Tensor& z, double step, const ConjugateGradientOptions& options,
                         const Tensor& start) const {
  check_like(z, adjoint_of_data_, "l2.prox: z");
  // (A^T A + c I) u = c z + A^T y with c = sigma^2 / step
  const double shift = options_.sigma * options_.sigma / step;
  return linear_->solve_normal(adjoint_of_data_ + shift * z, shift, options, start);
}

}  // namespace tessera
