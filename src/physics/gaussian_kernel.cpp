#include "tessera/physics/gaussian_kernel.hpp"

#include <ATen/ops/arange.h>
#include <ATen/ops/exp.h>
#include <ATen/ops/ones.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "tessera/core/error.hpp"

namespace tessera {

namespace {

std::int64_t half_side(const std::vector<double>& sigmas) {
  for (const double sigma : sigmas) {
    if (!(sigma > 0) || !std::isfinite(sigma)) {
      throw error::InvalidArgument(
          fmt::format("gaussian_kernel: sigma must be positive and finite, got {}", sigma));
    }
  }
  return static_cast<std::int64_t>(*std::max_element(sigmas.begin(), sigmas.end()) / 0.3 + 1);
}

Tensor offsets(std::int64_t half) {
  return at::arange(-half, half + 1, at::kDouble);
}

}  // namespace

Tensor gaussian_kernel(double sigma_h, double sigma_w, double angle_degrees,
                       const at::TensorOptions& options) {
  if (!std::isfinite(angle_degrees)) {
    throw error::InvalidArgument(
        fmt::format("gaussian_kernel: the angle must be finite, got {}", angle_degrees));
  }
  const std::int64_t half = half_side({sigma_h, sigma_w});
  const double angle = angle_degrees * std::numbers::pi / 180;
  const Tensor row = offsets(half).unsqueeze(1);
  const Tensor column = offsets(half).unsqueeze(0);
  const Tensor across = column * std::cos(angle) - row * std::sin(angle);
  const Tensor along = column * std::sin(angle) + row * std::cos(angle);
  const Tensor kernel = at::exp(-0.5 * ((across / sigma_w).square() + (along / sigma_h).square()));
  return (kernel / kernel.sum()).unsqueeze(0).unsqueeze(0).to(options);
}

Tensor gaussian_kernel(const std::vector<double>& sigmas, const at::TensorOptions& options) {
  if (sigmas.empty() || sigmas.size() > 3) {
    throw error::InvalidArgument(
        fmt::format("gaussian_kernel: expected 1 to 3 sigmas, got {}", sigmas.size()));
  }
  const std::int64_t half = half_side(sigmas);
  Tensor kernel = at::ones({1, 1}, at::kDouble);
  for (const double sigma : sigmas) {
    const Tensor profile = at::exp(-0.5 * (offsets(half) / sigma).square());
    kernel = kernel.unsqueeze(-1) * (profile / profile.sum());
  }
  return kernel.to(options);
}

}  // namespace tessera
