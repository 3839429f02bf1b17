#include "tessera/fidelity/clipped_l2.hpp"

#include <ATen/ops/special_erfcx.h>
#include <ATen/ops/special_log_ndtr.h>
#include <ATen/ops/sum.h>
#include <ATen/ops/where.h>
#include <fmt/format.h>

#include <numbers>

#include "tessera/comm/agreement.hpp"
#include "tessera/core/error.hpp"

namespace tessera {

namespace {

/// E[n | n > t] for standard Gaussian n: density over tail probability, without their underflow.
Tensor mean_beyond(const Tensor& t) {
  constexpr double kScale = std::numbers::sqrt2 * std::numbers::inv_sqrtpi;
  return kScale / at::special_erfcx(t / std::numbers::sqrt2);
}

}  // namespace

ClippedL2::ClippedL2(LinearPhysicsPtr physics, TensorList measurements, ClippedL2Options options)
    : DataFidelity(physics, std::move(measurements)),
      linear_(std::move(physics)),
      options_(options) {
  if (!(options_.sigma > 0)) {
    throw error::InvalidArgument(
        fmt::format("ClippedL2: sigma is {}, expected > 0", options_.sigma));
  }
  if (!(options_.low < options_.high)) {
    throw error::InvalidArgument(fmt::format(
        "ClippedL2: the range is {} to {}, expected low < high", options_.low, options_.high));
  }
  if (options_.max_iterations < 1) {
    throw error::InvalidArgument(fmt::format("ClippedL2: max_iterations is {}, expected 1 or more",
                                             options_.max_iterations));
  }
}

double ClippedL2::do_distance(const Tensor& u, const Tensor& y) const {
  const double variance = options_.sigma * options_.sigma;
  const Tensor within = 0.5 * (u - y).square();
  const Tensor below = -variance * at::special_log_ndtr((options_.low - u) / options_.sigma);
  const Tensor above = -variance * at::special_log_ndtr((u - options_.high) / options_.sigma);
  const Tensor distance =
      at::where(y <= options_.low, below, at::where(y >= options_.high, above, within));
  return at::sum(distance, at::kDouble).item<double>();
}

Tensor ClippedL2::completed(const Tensor& u, const Tensor& y) const {
  const double sigma = options_.sigma;
  const Tensor below = u - sigma * mean_beyond((u - options_.low) / sigma);
  const Tensor above = u + sigma * mean_beyond((options_.high - u) / sigma);
  return at::where(y <= options_.low, below, at::where(y >= options_.high, above, y));
}

Tensor ClippedL2::do_distance_gradient(const Tensor& u, const Tensor& y) const {
  return u - completed(u, y);
}

Tensor ClippedL2::do_prox(const Tensor& z, double step) const {
  // (A^T A + c I) u = c z + A^T y with c = 1 / step
  const double shift = 1 / step;
  Tensor u = z;
  for (std::int64_t i = 0; i < options_.max_iterations; ++i) {
    TensorList y = predicted(u);
    for (std::size_t k = 0; k < y.size(); ++k) y[k] = completed(y[k], measurements()[k]);
    const Tensor last = u;
    u = linear_->solve_normal(linear_->adjoint(y) + shift * z, shift, options_.conjugate_gradient);
    const double change = (u - last).norm().item<double>();
    std::int64_t stop = change <= options_.tolerance * u.norm().item<double>() ? 1 : 0;
    agree(physics().communicator(), "clipped_l2.prox", nullptr, {&stop, 1});  // all stop together
    if (stop == 1) break;
  }
  return u;
}

}  // namespace tessera
