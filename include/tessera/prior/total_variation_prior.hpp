// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <optional>
#include <string>

#include "tessera/core/check.hpp"
#include "tessera/denoiser/total_variation.hpp"
#include "tessera/prior/prior.hpp"

namespace tessera {

/// g(x) = weight TV(x), with the total variation of TotalVariation. Its proximal operator is solved
/// to options.relative_gap: 1e-8 where solvers are to converge to more digits than a picture shows.
/// PrimalDual needs no inner solution: give it FiniteDifferences and a GroupL1Prior.
class TotalVariationPrior : public Prior {
 public:
  /// weight > 0, else error::InvalidArgument; weight_per_sigma of the options plays no role.
  explicit TotalVariationPrior(double weight, TotalVariationOptions options = {})
      : weight_(weight), variation_(options) {
    check_positive(weight_, "TotalVariationPrior", "weight");
  }

  std::string name() const override { return "total_variation_prior"; }
  bool is_convex() const override { return true; }
  double weight() const { return weight_; }
  const TotalVariationOptions& options() const { return variation_.options(); }
  std::optional<double> value(const Tensor& x) const override {
    return weight_ * variation_.value(x);
  }

 private:
  Tensor do_prox(const Tensor& z, double step) const override {
    return variation_.solve(z, step * weight_).image;
  }

  double weight_;
  TotalVariation variation_;
};

}  // namespace tessera
