#include "tessera/fidelity/l2.hpp"

#include <ATen/ops/sum.h>
#include <ATen/ops/view_as_real.h>

#include <algorithm>

#include "tessera/comm/agreement.hpp"
#include "tessera/core/check.hpp"

namespace tessera {

namespace {

/// Sum of products of real numbers, accumulated in float64.
double inner(const Tensor& a, const Tensor& b) {
  return at::sum(a * b, at::kDouble).item<double>();
}

/// Sum of squared magnitudes.
double norm_squared(const Tensor& a) {
  const Tensor real = a.is_complex() ? at::view_as_real(a.resolve_conj()) : a;
  return inner(real, real);
}

/// How small the fused value may be beside its terms before their rounding shows in it.
double least_share(at::ScalarType type) {
  return type == at::kDouble ? 1e-10 : 1e-4;
}

}  // namespace

L2::L2(LinearPhysicsPtr physics, TensorList measurements, const Tensor& image, L2Options options)
    : DataFidelity(physics, std::move(measurements)),
      linear_(std::move(physics)),
      options_(options) {
  check_image(image, "L2: image");
  check_positive(options_.sigma, "L2", "sigma");
  fused_ = options_.fused && linear_->has_normal_spectrum(image);
  adjoint_of_data_ = linear_->adjoint(this->measurements());
  check_like(adjoint_of_data_, image, "L2: the adjoint of the measurements");
  double local = 0;
  for (const Tensor& y : this->measurements()) local += norm_squared(y);
  data_norm_squared_ = linear_->sum(local);
  has_measurements_ = !(options_.drop_measurements && fused_);
  if (!has_measurements_) drop_measurements();
}

double L2::do_value(const Tensor& x) const {
  check_like(x, adjoint_of_data_, "l2.value: x");
  if (!fused_) return DataFidelity::do_value(x);
  const double squares = inner(x, linear_->normal(x)) + data_norm_squared_;
  const double value = squares - 2 * inner(x, adjoint_of_data_);
  const bool cancels = !(value > least_share(x.scalar_type()) * squares);
  if (has_measurements_ && any_rank(physics().communicator(), "l2.value", cancels)) {
    return DataFidelity::do_value(x);
  }
  return 0.5 * std::max(0.0, value) / (options_.sigma * options_.sigma);
}

Tensor L2::do_gradient(const Tensor& x) const {
  check_like(x, adjoint_of_data_, "l2.gradient: x");
  if (!fused_) return DataFidelity::do_gradient(x);
  const Tensor difference = linear_->normal(x) - adjoint_of_data_;
  return options_.sigma == 1.0 ? difference : difference / (options_.sigma * options_.sigma);
}

Tensor L2::do_prox(const Tensor& z, double step) const {
  check_like(z, adjoint_of_data_, "l2.prox: z");
  // (A^T A + c I) u = c z + A^T y with c = sigma^2 / step
  const double shift = options_.sigma * options_.sigma / step;
  return linear_->solve_normal(adjoint_of_data_ + shift * z, shift, options_.conjugate_gradient, z);
}

double L2::do_distance(const Tensor& u, const Tensor& y) const {
  const Tensor residual = u - y;
  return 0.5 * norm_squared(residual) / (options_.sigma * options_.sigma);
}

Tensor L2::do_distance_gradient(const Tensor& u, const Tensor& y) const {
  return (u - y) / (options_.sigma * options_.sigma);
}

}  // namespace tessera
