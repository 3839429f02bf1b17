#include "tessera/fidelity/l2.hpp"

#include <ATen/ops/sum.h>
#include <fmt/format.h>

#include "tessera/core/error.hpp"

namespace tessera {

namespace {

/// Sum of products, accumulated in float64.
double inner(const Tensor& a, const Tensor& b) {
  return at::sum(a * b, at::kDouble).item<double>();
}

}  // namespace

L2::L2(LinearPhysicsPtr physics, TensorList measurements, const Tensor& image, L2Options options)
    : DataFidelity(physics, std::move(measurements)),
      linear_(std::move(physics)),
      options_(options) {
  check_image(image, "L2: image");
  if (!(options_.sigma > 0)) {
    throw error::InvalidArgument(fmt::format("L2: sigma is {}, expected > 0", options_.sigma));
  }
  fused_ = options_.fused && linear_->has_normal_spectrum(image);
  adjoint_of_data_ = linear_->adjoint(this->measurements());
  check_like(adjoint_of_data_, image, "L2: the adjoint of the measurements");
  double local = 0;
  for (const Tensor& y : this->measurements()) local += inner(y, y);
  data_norm_squared_ = linear_->sum(local);
  if (options_.drop_measurements && fused_) drop_measurements();
}

double L2::do_value(const Tensor& x) const {
  check_like(x, adjoint_of_data_, "l2.value: x");
  if (!fused_) return DataFidelity::do_value(x);
  const double quadratic =
      inner(x, linear_->normal(x)) - 2 * inner(x, adjoint_of_data_) + data_norm_squared_;
  return 0.5 * quadratic / (options_.sigma * options_.sigma);
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
  return linear_->solve_normal(adjoint_of_data_ + shift * z, shift, options_.conjugate_gradient);
}

double L2::do_distance(const Tensor& u, const Tensor& y) const {
  const Tensor residual = u - y;
  return 0.5 * inner(residual, residual) / (options_.sigma * options_.sigma);
}

Tensor L2::do_distance_gradient(const Tensor& u, const Tensor& y) const {
  return (u - y) / (options_.sigma * options_.sigma);
}

}  // namespace tessera
