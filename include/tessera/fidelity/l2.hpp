#pragma once

#include "tessera/fidelity/data_fidelity.hpp"
#include "tessera/physics/linear_physics.hpp"

namespace tessera {

struct L2Options {
  /// Standard deviation of the noise: f(x) = 0.5 / sigma^2 * sum_i ||A_i x - y_i||^2.
  double sigma = 1.0;
  /// For prox where A^T A has no spectrum.
  ConjugateGradientOptions conjugate_gradient = {};
  /// Use A^T A x - A^T y with the fused normal operator where there is one: no forward, no
  /// communication per gradient. Off: always A^T (A x - y).
  bool fused = true;
  /// Keep only A^T y and ||y||^2 once the fused form is set up: frees the measurements.
  bool drop_measurements = false;
};

/// Least squares, the fidelity of Gaussian noise: f(x) = 0.5 / sigma^2 * sum_i ||A_i x - y_i||^2.
///
/// Measurements may be complex; images are real.
///
/// The fused value is a difference of sums of squares, where little may be left of much. Where its
/// rounding would show (a ten-thousandth of the sums in float32) the value is computed from the
/// residuals instead; if those were dropped, it is accurate to the rounding of ||y||^2, and never
/// negative.
///
/// prox(z, step) solves (step / sigma^2 A^T A + I) u = z + step / sigma^2 A^T y: exactly in Fourier
/// space for circular blurs, by conjugate gradients from z otherwise.
class L2 : public DataFidelity {
 public:
  /// Collective if the physics is distributed (it computes A^T y). `image` gives the shape, dtype
  /// and device of the images to come; only those are read.
  L2(LinearPhysicsPtr physics, TensorList measurements, const Tensor& image,
     L2Options options = {});

  std::string name() const override { return "l2"; }
  const L2Options& options() const { return options_; }
  /// True if gradients use the fused normal operator.
  bool is_fused() const { return fused_; }
  /// A^T y, the back-projected data.
  const Tensor& adjoint_of_data() const { return adjoint_of_data_; }

 private:
  double do_value(const Tensor& x) const override;
  Tensor do_gradient(const Tensor& x) const override;
  Tensor do_prox(const Tensor& z, double step) const override;
  double do_distance(const Tensor& u, const Tensor& y) const override;
  Tensor do_distance_gradient(const Tensor& u, const Tensor& y) const override;

  LinearPhysicsPtr linear_;
  L2Options options_;
  bool fused_ = false;
  bool has_measurements_ = true;
  Tensor adjoint_of_data_;
  double data_norm_squared_ = 0;
};

}  // namespace tessera
