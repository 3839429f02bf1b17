// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/ops/abs.h>
#include <ATen/ops/imag.h>
#include <ATen/ops/real.h>
#include <ATen/ops/sgn.h>
#include <ATen/ops/sqrt.h>

#include "tessera/core/error.hpp"
#include "tessera/core/real_dot.hpp"
#include "tessera/core/text.hpp"
#include "tessera/fidelity/detail/check_real_nonnegative.hpp"
#include "tessera/fidelity/distance.hpp"

namespace tessera {

/// The distance of intensities y = |u|^2 whose phase is lost (phase retrieval; amplitude loss: Yeh
/// and others, Opt. Express 23, 2015):
///
///     d(u, y) = 0.5 (|u| - sqrt(y))^2
///
/// u is real or complex; y >= 0 has its shape and dtype, a complex one no imaginary part, which
/// check_data asks for. Not convex: solvers find a stationary point, which depends on the start.
class AmplitudeDistance : public Distance {
 public:
  std::string name() const override { return "amplitude_distance"; }
  void check_data(const Tensor& y) const override {
    detail::check_real_nonnegative(intensity(y), name(), "intensities");
    if (!y.is_complex() || !(at::imag(y) != 0).any().item<bool>()) return;
    throw error::InvalidArgument(formatted(
        "{}: the measurement {} has imaginary parts, expected intensities", name(), describe(y)));
  }

 private:
  double do_value(const Tensor& u, const Tensor& y) const override {
    const Tensor residual = at::abs(u) - amplitude(y);
    return 0.5 * real_dot(residual, residual);
  }
  /// u - sqrt(y) u / |u|; 0 at u = 0.
  Tensor do_gradient(const Tensor& u, const Tensor& y) const override {
    return u - amplitude(y) * at::sgn(u);
  }
  /// (|u| + step sqrt(y)) / (1 + step) u / |u|; of all directions at u = 0 the positive one.
  Tensor do_prox(const Tensor& u, const Tensor& y, double step) const override {
    const Tensor length = (at::abs(u) + step * amplitude(y)) / (1 + step);
    const Tensor direction = at::sgn(u);
    return length * (direction + (direction == 0));
  }
  static Tensor intensity(const Tensor& y) { return y.is_complex() ? at::real(y) : y; }
  static Tensor amplitude(const Tensor& y) { return at::sqrt(intensity(y)); }
};

}  // namespace tessera
