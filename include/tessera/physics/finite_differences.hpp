// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/ops/cat.h>
#include <ATen/ops/zeros_like.h>

#include <cmath>
#include <cstdint>
#include <numbers>
#include <optional>
#include <string>
#include <vector>

#include "tessera/core/error.hpp"
#include "tessera/core/text.hpp"
#include "tessera/physics/linear_operator.hpp"

namespace tessera {

namespace detail {

/// ||D||^2 of FiniteDifferences of images of these spatial extents.
inline double norm_squared_of_differences(at::IntArrayRef extents) {
  double sum = 0;
  for (const std::int64_t extent : extents) {
    const double cosine = std::cos(std::numbers::pi / (2 * static_cast<double>(extent)));
    sum += 4 * cosine * cosine;
  }
  return sum;
}

}  // namespace detail

/// Forward differences along every spatial dimension, zero across the far borders, in units of one
/// pixel: (B, C, spatial...) to (B, n C, spatial...) for n spatial dimensions, all channels of the
/// first dimension first. The gradient of an image, as total variation has it.
///
/// ||D||^2 = sum_d 4 cos^2(pi / (2 N_d)) for extents N_d, below 4 n.
class FiniteDifferences : public LinearOperator {
 public:
  std::string name() const override { return "finite_differences"; }

 private:
  Tensor do_apply(const Tensor& x) const override {
    TensorList parts;
    for (std::int64_t d = 2; d < x.dim(); ++d) {
      Tensor difference = at::zeros_like(x);
      const std::int64_t last = x.size(d) - 1;
      difference.narrow(d, 0, last).copy_(x.narrow(d, 1, last) - x.narrow(d, 0, last));
      parts.push_back(difference);
    }
    return at::cat(parts, 1);
  }
  Tensor do_apply_adjoint(const Tensor& v) const override {
    const std::int64_t directions = v.dim() - 2;
    if (v.size(1) % directions != 0) {
      throw error::ShapeMismatch(formatted(
          "finite_differences.adjoint: v is {}, expected a multiple of {} channels, one for each "
          "direction",
          describe(v), directions));
    }
    const std::int64_t channels = v.size(1) / directions;
    Tensor x = at::zeros_like(v.narrow(1, 0, channels));
    for (std::int64_t d = 2; d < v.dim(); ++d) {
      const std::int64_t last = v.size(d) - 1;
      const Tensor part = v.narrow(1, (d - 2) * channels, channels).narrow(d, 0, last);
      x.narrow(d, 1, last).add_(part);
      x.narrow(d, 0, last).sub_(part);
    }
    return x;
  }
  std::optional<double> do_norm_squared(const Tensor& x) const override {
    return detail::norm_squared_of_differences(x.sizes().slice(2));
  }
};

}  // namespace tessera
