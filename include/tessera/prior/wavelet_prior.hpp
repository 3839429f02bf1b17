// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <optional>
#include <string>

#include "tessera/core/check.hpp"
#include "tessera/physics/wavelet_transform.hpp"
#include "tessera/prior/l1_prior.hpp"
#include "tessera/prior/prior.hpp"

namespace tessera {

/// g(x) = weight * sum of |W x| over the details of an orthogonal wavelet transform; the coarse
/// approximation is free. Convex. W is orthogonal, so the proximal operator is exact: soft
/// thresholds of the details (Donoho, IEEE Trans. Inf. Theory 41, 1995).
class WaveletPrior : public Prior {
 public:
  /// weight >= 0, else error::InvalidArgument.
  explicit WaveletPrior(double weight, WaveletOptions options = {})
      : weight_(weight), transform_(options) {
    check_not_negative(weight_, "WaveletPrior", "weight");
  }

  std::string name() const override { return "wavelet_prior"; }
  bool is_convex() const override { return true; }
  double weight() const { return weight_; }
  const WaveletTransform& transform() const { return transform_; }
  std::optional<double> value(const Tensor& x) const override {
    const Tensor coefficients = transform_.apply(x);
    const L1Prior size(weight_);
    return *size.value(coefficients) - *size.value(transform_.approximation(coefficients));
  }

 private:
  Tensor do_prox(const Tensor& z, double step) const override {
    const Tensor coefficients = transform_.apply(z);
    const Tensor shrunk = L1Prior(weight_).prox(coefficients, step);
    transform_.approximation(shrunk).copy_(transform_.approximation(coefficients));
    return transform_.apply_adjoint(shrunk);
  }

  double weight_;
  WaveletTransform transform_;
};

}  // namespace tessera
