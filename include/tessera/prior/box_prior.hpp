// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/ops/clamp.h>

#include <limits>
#include <optional>
#include <string>

#include "tessera/core/check.hpp"
#include "tessera/prior/prior.hpp"

namespace tessera {

/// g(x) = 0 where low <= x <= high everywhere, infinite elsewhere: intensities have a range. An end
/// may be infinite; BoxPrior() is nonnegativity. Its proximal operator clamps, for every step.
class BoxPrior : public Prior {
 public:
  /// Throws error::InvalidArgument unless low <= high.
  explicit BoxPrior(double low = 0.0, double high = std::numeric_limits<double>::infinity())
      : low_(low), high_(high) {
    check_range({low, high}, "BoxPrior", "low, high");
  }

  std::string name() const override { return "box_prior"; }
  bool is_convex() const override { return true; }
  bool follows_step() const override { return false; }
  std::optional<double> value(const Tensor& x) const override {
    const bool is_inside = !((x < low_) | (x > high_)).any().item<bool>();
    return is_inside ? 0.0 : std::numeric_limits<double>::infinity();
  }

 private:
  Tensor do_prox(const Tensor& z, double /*step*/) const override {
    return at::clamp(z, low_, high_);
  }

  double low_;
  double high_;
};

}  // namespace tessera
