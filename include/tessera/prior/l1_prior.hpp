// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/ops/abs.h>
#include <ATen/ops/sgn.h>
#include <ATen/ops/sum.h>

#include <cstdint>
#include <optional>
#include <string>

#include "tessera/core/check.hpp"
#include "tessera/core/error.hpp"
#include "tessera/core/text.hpp"
#include "tessera/prior/prior.hpp"

namespace tessera {

/// g(x) = weight * sum of |x|: few elements differ from zero. Its proximal operator is the soft
/// threshold (Donoho, IEEE Trans. Inf. Theory 41, 1995). With PrimalDual and a linear map, that
/// map's outputs are few.
class L1Prior : public Prior {
 public:
  /// weight >= 0, else error::InvalidArgument.
  explicit L1Prior(double weight = 1.0) : weight_(weight) {
    check_not_negative(weight_, "L1Prior", "weight");
  }

  std::string name() const override { return "l1_prior"; }
  bool is_convex() const override { return true; }
  std::optional<double> value(const Tensor& x) const override {
    return weight_ * at::sum(at::abs(x), at::kDouble).item<double>();
  }

 private:
  Tensor do_prox(const Tensor& z, double step) const override {
    return at::sgn(z) * (at::abs(z) - step * weight_).clamp_min_(0);
  }

  double weight_;
};

/// g(x) = weight * sum over pixels of the Euclidean norm over the channels: an L1 norm of vectors
/// (group lasso: Yuan and Lin, J. R. Stat. Soc. B 68, 2006). Of FiniteDifferences it is total
/// variation with joint channels.
///
/// With `groups` > 1 channel m * groups + k is member m of group k, and each group has a norm of
/// its own: with as many groups as the image has channels, total variation of each channel by
/// itself.
class GroupL1Prior : public Prior {
 public:
  /// weight >= 0, groups >= 1, else error::InvalidArgument.
  explicit GroupL1Prior(double weight = 1.0, std::int64_t groups = 1)
      : weight_(weight), groups_(groups) {
    check_not_negative(weight_, "GroupL1Prior", "weight");
    if (groups_ < 1) {
      throw error::InvalidArgument(
          formatted("GroupL1Prior: groups is {}, expected 1 or more", groups_));
    }
  }

  std::string name() const override { return "group_l1_prior"; }
  bool is_convex() const override { return true; }
  std::optional<double> value(const Tensor& x) const override {
    return weight_ * at::sum(lengths(x), at::kDouble).item<double>();
  }

 private:
  /// (B, members, groups, spatial...)
  Tensor grouped(const Tensor& x) const {
    if (x.size(1) % groups_ != 0) {
      throw error::ShapeMismatch(formatted("{}: x is {}, expected a multiple of {} channels",
                                           name(), describe(x), groups_));
    }
    return x.unflatten(1, {x.size(1) / groups_, groups_});
  }
  /// (B, 1, groups, spatial...)
  Tensor lengths(const Tensor& x) const {
    return grouped(x).square().sum(1, /*keepdim=*/true).sqrt();
  }
  /// (1 - t / max(t, |z|)) z
  Tensor do_prox(const Tensor& z, double step) const override {
    const double threshold = step * weight_;
    if (threshold == 0) return z.clone();
    const Tensor factor = 1 - threshold / lengths(z).clamp_min(threshold);
    return (grouped(z) * factor).flatten(1, 2);
  }

  double weight_;
  std::int64_t groups_;
};

}  // namespace tessera
