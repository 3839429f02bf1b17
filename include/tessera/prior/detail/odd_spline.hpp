// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/ops/abs.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/diff.h>
#include <ATen/ops/sgn.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "tessera/core/check.hpp"
#include "tessera/core/tensor.hpp"
#include "tessera/physics/spectrum_cache.hpp"

namespace tessera::detail {

/// Values at the knots 0, h, 2 h, ... of an odd function; if the last is negative, also at those
/// that follow until it has returned to 0, no more steeply than it fell. Differentiable.
inline Tensor returning_to_zero(const Tensor& values) {
  const Tensor last = values[-1];
  if (!(last.item<double>() < 0)) return values;
  const Tensor rise = -at::diff(values).min();
  const double parts = std::ceil(-last.item<double>() / rise.item<double>());
  return at::cat({values, (last + at::arange(1, parts + 1, values.options()) * rise).clamp_max(0)});
}

/// phi(u) = -phi(-u), linear between the knots 0, h, 2 h, ..., n h and constant from the last on;
/// if it is negative there, it first returns to 0, no more steeply than it fell: an integral that
/// fell for ever would have no minimum. Elementwise; any floating dtype and device.
class OddSpline {
 public:
  /// `values` are phi(h), ..., phi(n h), n >= 1; spacing h > 0, else error::InvalidArgument.
  OddSpline(const std::vector<double>& values, double spacing) : spacing_(spacing) {
    check_positive(spacing_, "RidgePrior", "spline.spacing");
    std::vector<double> lefts;
    std::vector<double> rises;
    std::vector<double> areas;
    double last = 0;
    double area = 0;
    const auto go_to = [&](double value) {
      lefts.push_back(last);
      rises.push_back(value - last);
      areas.push_back(area);
      largest_slope_ = std::max(largest_slope_, (value - last) / spacing_);
      least_slope_ = std::min(least_slope_, (value - last) / spacing_);
      area += 0.5 * (last + value);
      last = value;
    };
    const Tensor knots =
        returning_to_zero(at::cat({at::zeros({1}, at::kDouble), at::tensor(values, at::kDouble)}));
    for (std::int64_t knot = 1; knot < knots.numel(); ++knot) go_to(knots[knot].item<double>());
    end_ = last;
    count_ = static_cast<std::int64_t>(lefts.size());
    values_ = ConvertedTensor(at::tensor(lefts, at::kDouble));
    rises_ = ConvertedTensor(at::tensor(rises, at::kDouble));
    areas_ = ConvertedTensor(at::tensor(areas, at::kDouble));
  }

  /// Of any part; 0 beyond the last knot, so at least and at most 0.
  double largest_slope() const { return largest_slope_; }
  double least_slope() const { return least_slope_; }

  Tensor value(const Tensor& u) const {
    const Place place = find(u);
    return at::sgn(u) * (look_up(values_, place) + place.part * look_up(rises_, place));
  }

  /// The integral of phi from 0 to u, an even function.
  Tensor integral(const Tensor& u) const {
    const Place place = find(u);
    const Tensor inside =
        look_up(areas_, place) +
        place.part * (look_up(values_, place) + 0.5 * place.part * look_up(rises_, place));
    return spacing_ * (inside + end_ * (place.position - count()).clamp_min(0));
  }

 private:
  struct Place {
    Tensor position;  // |u| in units of the spacing
    Tensor knot;      // that to the left of it
    Tensor part;      // of the way to the next
  };

  double count() const { return static_cast<double>(count_); }

  Place find(const Tensor& u) const {
    const Tensor position = at::abs(u) / spacing_;
    const Tensor knot = position.detach().clamp_max(count()).to(at::kLong).clamp(0, count_ - 1);
    return {position, knot, position.clamp_max(count()) - knot};
  }
  static Tensor look_up(const ConvertedTensor& table, const Place& place) {
    return table.like(place.part).take(place.knot);
  }

  double spacing_;
  std::int64_t count_ = 0;  // of the parts
  ConvertedTensor values_;  // at the left ends of the parts
  ConvertedTensor rises_;   // over them
  ConvertedTensor areas_;   // up to them, in units of the spacing
  double end_ = 0;
  double largest_slope_ = 0;
  double least_slope_ = 0;
};

}  // namespace tessera::detail
