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

Tensor ClippedL2::depth(const Tensor& u, const Tensor& is_high) const {
  const Tensor above_low = u - options_.low;
  return at::where(is_high, options_.high - u, above_low).div_(options_.sigma);
}

double ClippedL2::do_distance(const Tensor& u, const Tensor& y) const {
  const Tensor is_high = y >= options_.high;
  const Tensor is_clipped = is_high.logical_or(y <= options_.low);
  const double variance = options_.sigma * options_.sigma;
  const Tensor beyond = at::special_log_ndtr(depth(u, is_high).neg_()).mul_(-variance);
  const Tensor within = (u - y).square_().mul_(0.5);
  return at::sum(at::where(is_clipped, beyond, within), at::kDouble).item<double>();
}

Tensor ClippedL2::do_distance_gradient(const Tensor& u, const Tensor& y) const {
  const Tensor is_high = y >= options_.high;
  // sigma E[n | n > depth] for standard Gaussian n: density over tail probability, neither of which
  // may underflow by itself.
  constexpr double scale = std::numbers::sqrt2 * std::numbers::inv_sqrtpi;
  const Tensor beyond = at::special_erfcx(depth(u, is_high).div_(std::numbers::sqrt2))
                            .reciprocal_()
                            .mul_(options_.sigma * scale);
  return at::where(is_high, beyond.neg(), at::where(y <= options_.low, beyond, u - y));
}

Tensor ClippedL2::do_prox(const Tensor& z, double step) const {
  // (A^T A + c I) u = c z + A^T y with c = 1 / step
  const double shift = 1 / step;
  Tensor u = z;
  for (std::int64_t i = 0; i < options_.max_iterations; ++i) {
    TensorList y = predicted(u);
    // Completed by expectation: the prediction where that explains what was measured.
    for (std::size_t k = 0; k < y.size(); ++k) {
      y[k] = y[k] - do_distance_gradient(y[k], measurements()[k]);
    }
    const Tensor last = u;
    u = linear_->solve_normal(linear_->adjoint(y) + shift * z, shift, options_.conjugate_gradient);
    const double change = (u - last).norm().item<double>();
    const bool settled = change <= options_.tolerance * u.norm().item<double>();
    if (any_rank(physics().communicator(), "clipped_l2.prox", settled)) break;
  }
  return u;
}

}  // namespace tessera
