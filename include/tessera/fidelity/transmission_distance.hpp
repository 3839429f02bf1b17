// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/ops/exp.h>
#include <ATen/ops/sum.h>
#include <ATen/ops/where.h>
#include <ATen/ops/xlogy.h>

#include <cmath>
#include <limits>
#include <optional>

#include "tessera/fidelity/detail/check_real_nonnegative.hpp"
#include "tessera/fidelity/distance.hpp"

namespace tessera {

/// The distance of counts behind an absorber, y ~ Poisson(I0 exp(-u)), u the line integral of the
/// attenuation (low-dose tomography; Lange and Carson, J. Comput. Assist. Tomogr. 8, 1984), up to a
/// constant that makes it 0 at I0 exp(-u) = y:
///
///     d(u, y) = I0 exp(-u) + y u - y + y log(y / I0)
///
/// y >= 0 and real, which check_data asks for. Convex; on u >= 0 its curvature is at most I0,
/// elsewhere it has no bound: keep iterates there by a clamp_range. Not for complex measurements.
class TransmissionDistance : public Distance {
 public:
  /// `blank`: I0, the mean count without an absorber, > 0.
  explicit TransmissionDistance(double blank) : blank_(blank) {
    check_positive(blank_, "TransmissionDistance", "blank");
  }

  std::string name() const override { return "transmission_distance"; }
  bool is_convex() const override { return true; }
  double blank() const { return blank_; }
  void check_data(const Tensor& y) const override {
    detail::check_real_nonnegative(y, name(), "counts");
  }

 private:
  inline double do_value(const Tensor& u, const Tensor& y) const override;
  inline Tensor do_gradient(const Tensor& u, const Tensor& y) const override;
  /// a + W(step I0 exp(-a)) with a = u - step y and Lambert's W, by Newton's method on w + log w.
  inline Tensor do_prox(const Tensor& u, const Tensor& y, double step) const override;
  std::optional<double> do_curvature(const Tensor& /*y*/) const override { return blank_; }

  double blank_;
};

namespace detail {

/// W(exp(z)), the w > 0 with w + log w = z. The left side is increasing and concave, so that
/// Newton's method rises towards the root from below.
inline Tensor lambert_w_of_exp(const Tensor& z) {
  constexpr int most_iterations = 50;
  const double epsilon = z.scalar_type() == at::kDouble ? std::numeric_limits<double>::epsilon()
                                                        : std::numeric_limits<float>::epsilon();
  // Below the root: z - log z beyond 1, where W(e^z) >= z - log z; else exp(z) / (1 + e).
  Tensor w = at::where(z > 1, z - z.clamp_min(1).log(), z.clamp_max(1).exp() / (1 + std::exp(1.0)));
  for (int i = 0; i < most_iterations; ++i) {
    const Tensor change = (z - w - w.log()) * w / (1 + w);
    const Tensor next = at::where(w > 0, w + change, w);  // exp(z) underflowed: w is 0
    const bool moves = ((next - w).abs() > 2 * epsilon * next).any().item<bool>();
    w = next;
    if (!moves) break;
  }
  return w;
}

}  // namespace detail

inline double TransmissionDistance::do_value(const Tensor& u, const Tensor& y) const {
  const Tensor each = blank_ * at::exp(-u) + y * u - y + at::xlogy(y, y / blank_);
  return at::sum(each, at::kDouble).item<double>();
}

inline Tensor TransmissionDistance::do_gradient(const Tensor& u, const Tensor& y) const {
  return y - blank_ * at::exp(-u);
}

inline Tensor TransmissionDistance::do_prox(const Tensor& u, const Tensor& y, double step) const {
  const Tensor a = u - step * y;
  return a + detail::lambert_w_of_exp(std::log(step * blank_) - a);
}

}  // namespace tessera
