// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Part of prior/ridge_prior.hpp.

#include <ATen/ops/cat.h>
#include <ATen/ops/sum.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "tessera/prior/ridge_prior.hpp"

namespace tessera {

inline RidgePrior::RidgePrior(const StateDict& weights, double sigma, RidgeOptions options)
    : RidgePrior(std::make_shared<const detail::RidgeWeights>(weights), sigma, options) {}

inline RidgePrior::RidgePrior(std::shared_ptr<const detail::RidgeWeights> weights, double sigma,
                              RidgeOptions options)
    : weights_(std::move(weights)), sigma_(sigma), options_(options) {
  check_positive(sigma_, name(), "sigma");
  check_positive(options_.tolerance, name(), "tolerance");
  if (options_.max_iterations < 1) {
    throw error::InvalidArgument(
        formatted("{}: max_iterations is {}, expected 1 or more", name(), options_.max_iterations));
  }
  scales_ = ConvertedTensor(weights_->scales(sigma_));
}

inline void RidgePrior::check_extents(const Tensor& x) const {
  const at::IntArrayRef filter = weights_->filters().sizes().slice(2);
  bool fits = x.dim() - 2 == dimensions();
  for (std::size_t axis = 0; fits && axis < filter.size(); ++axis) {
    fits = x.size(static_cast<std::int64_t>(axis) + 2) >= filter[axis];
  }
  if (!fits) {
    throw error::ShapeMismatch(
        formatted("{}: x is {}, expected spatial extents of at least {}, those of the filters",
                  name(), describe(x), to_string(filter)));
  }
}

inline Tensor RidgePrior::enter(const Tensor& x, at::ScalarType type) const {
  std::vector<std::int64_t> shape = x.sizes().vec();
  shape[0] *= shape[1];
  shape[1] = 1;
  return x.to(type).reshape(shape);
}

inline std::optional<double> RidgePrior::value(const Tensor& x) const {
  check_image(x, formatted("{}.value: x", name()));
  check_extents(x);
  const at::NoGradGuard no_graph;
  const Tensor images = enter(x, at::kDouble);
  const Tensor scales = scales_.like(images);
  const Tensor responses = weights_->filtered(images) * scales;
  return at::sum(weights_->spline().integral(responses) / scales.square()).item<double>();
}

inline std::optional<double> RidgePrior::gradient_lipschitz() const {
  return std::max(weights_->spline().largest_slope(), -weights_->spline().least_slope()) *
         weights_->norm_squared();
}

inline double RidgePrior::weak_convexity() const {
  return std::max(0.0, -weights_->spline().least_slope()) * weights_->norm_squared();
}

inline Tensor RidgePrior::do_gradient(const Tensor& x) const {
  check_extents(x);
  const bool is_half = x.scalar_type() == at::kHalf || x.scalar_type() == at::kBFloat16;
  const Tensor images = enter(x, is_half ? at::kFloat : x.scalar_type());
  const Tensor scales = scales_.like(images);
  const Tensor responses = weights_->filtered(images) * scales;
  const Tensor derivatives = weights_->spline().value(responses) / scales;
  return weights_->filtered_adjoint(derivatives).view(x.sizes()).to(x.scalar_type());
}

inline Tensor RidgePrior::do_prox(const Tensor& z, double step) const {
  check_extents(z);
  if (step * weak_convexity() >= 1) {
    throw error::InvalidArgument(
        formatted("{}.prox: step is {}, expected less than {}: from there on the minimiser may not "
                  "be unique",
                  name(), step, 1 / weak_convexity()));
  }
  TensorList results;
  for (std::int64_t image = 0; image < z.size(0); ++image) {
    results.push_back(minimise(z.narrow(0, image, 1), step));
  }
  return at::cat(results, 0);
}

/// FISTA's momentum, dropped where it points uphill (O'Donoghue and Candes, Found. Comput. Math.
/// 15, 2015).
inline Tensor RidgePrior::minimise(const Tensor& z, double step) const {
  const double steepest = std::max(0.0, weights_->spline().largest_slope());
  const double lipschitz = 1 + step * steepest * weights_->norm_squared();
  const bool is_half = z.scalar_type() == at::kHalf || z.scalar_type() == at::kBFloat16;
  const Tensor start = is_half ? z.to(at::kFloat) : z;
  const double enough = options_.tolerance * start.norm().item<double>();
  Tensor u = start;
  Tensor ahead = start;
  double since_restart = 0;
  for (std::int64_t iteration = 0; iteration < options_.max_iterations; ++iteration) {
    const Tensor gradient = ahead - start + step * do_gradient(ahead);
    if (!(gradient.norm().item<double>() > enough)) return ahead.to(z.scalar_type());
    const Tensor next = ahead - gradient / lipschitz;
    const Tensor moved = next - u;
    const bool is_uphill = (gradient * moved).sum().item<double>() > 0;
    since_restart = is_uphill ? 0 : since_restart + 1;
    ahead = next + since_restart / (since_restart + 3) * moved;
    u = next;
  }
  return u.to(z.scalar_type());
}

}  // namespace tessera
