// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Part of prior/ridge_prior.hpp: what its weights hold, checked.

#include <ATen/ops/convolution.h>
#include <ATen/ops/fft_rfftn.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <string>
#include <vector>

#include "tessera/core/check.hpp"
#include "tessera/core/error.hpp"
#include "tessera/core/state_dict.hpp"
#include "tessera/core/tensor.hpp"
#include "tessera/core/text.hpp"
#include "tessera/physics/spectrum_cache.hpp"
#include "tessera/prior/detail/odd_spline.hpp"

namespace tessera::detail {

/// The filters, the function phi and the scales of a RidgePrior, on the host in float64.
class RidgeWeights {
 public:
  explicit RidgeWeights(const StateDict& weights);

  const Tensor& filters() const { return filters_.original(); }
  const OddSpline& spline() const { return spline_; }
  std::int64_t count() const { return filters().size(0); }
  std::int64_t dimensions() const { return filters().dim() - 2; }
  /// Of the filters, along the longest axis.
  std::int64_t extent() const {
    const at::IntArrayRef extents = filters().sizes().slice(2);
    return *std::max_element(extents.begin(), extents.end());
  }
  /// A bound of ||W||^2 for W x = (w_c * x)_c, on images of any extents.
  double norm_squared() const { return norm_squared_; }

  /// alpha_c(sigma), (filters, 1...).
  Tensor scales(double sigma) const;

  /// W x of images (B, 1, spatial...), (B, filters, smaller...), and its transpose.
  Tensor filtered(const Tensor& images) const { return convolved(images, false); }
  Tensor filtered_adjoint(const Tensor& responses) const { return convolved(responses, true); }

 private:
  Tensor convolved(const Tensor& input, bool transposed) const {
    const std::vector<std::int64_t> ones(static_cast<std::size_t>(dimensions()), 1);
    const std::vector<std::int64_t> zeros(static_cast<std::size_t>(dimensions()), 0);
    return at::convolution(input, filters_.like(input), {}, ones, zeros, ones, transposed, zeros,
                           1);
  }

  ConvertedTensor filters_;
  OddSpline spline_;
  std::vector<double> levels_;
  Tensor log_scale_;
  double norm_squared_;
};

namespace ridge {

inline constexpr const char* who = "RidgePrior";
inline constexpr std::array names{"filters", "spline.values", "spline.spacing", "levels",
                                  "log_scale"};

inline void check_names(const StateDict& weights) {
  for (const auto& [name, tensor] : weights) {
    if (std::find(names.begin(), names.end(), name) == names.end()) {
      throw error::ShapeMismatch(formatted("{}: the weights have an unexpected '{}', expected {}",
                                           who, name, joined(names, ", ")));
    }
  }
}

/// That tensor in float64 on the host; -1 in `shape` stands for any size from 1 on.
inline Tensor entry(const StateDict& weights, const std::string& name,
                    const std::vector<std::int64_t>& shape) {
  const auto found = weights.find(name);
  if (found == weights.end()) {
    throw error::ShapeMismatch(formatted("{}: the weights have no '{}'", who, name));
  }
  const Tensor& tensor = found->second;
  bool fits = tensor.defined() && tensor.is_floating_point() &&
              tensor.dim() == static_cast<std::int64_t>(shape.size()) && tensor.numel() > 0;
  for (std::size_t axis = 0; fits && axis < shape.size(); ++axis) {
    fits = shape[axis] < 0 || tensor.size(static_cast<std::int64_t>(axis)) == shape[axis];
  }
  if (!fits) {
    throw error::ShapeMismatch(
        formatted("{}: '{}' is {}, expected a floating tensor {} (-1: any size)", who, name,
                  describe(tensor), to_string(shape)));
  }
  check_finite(tensor, who, name);
  return tensor.detach().to(at::kCPU, at::kDouble).contiguous();
}

inline Tensor filters_of(const StateDict& weights) {
  check_names(weights);
  const auto found = weights.find("filters");
  const std::int64_t dimensions =
      found != weights.end() && found->second.defined() ? found->second.dim() : 4;
  std::vector<std::int64_t> shape(
      static_cast<std::size_t>(std::clamp<std::int64_t>(dimensions, 3, 5)), -1);
  shape[1] = 1;
  Tensor filters = entry(weights, "filters", shape);
  const Tensor flat = filters.flatten(1);
  const Tensor sums = flat.sum(1).abs();
  constexpr double rounding = 1e-4;
  if ((sums > rounding * flat.abs().sum(1)).any().item<bool>()) {
    throw error::InvalidArgument(
        formatted("{}: a filter sums to {}, expected 0: what is constant costs nothing", who,
                  sums.max().item<double>()));
  }
  return filters;
}

inline std::vector<double> numbers_of(const Tensor& values) {
  const auto* first = values.const_data_ptr<double>();
  return {first, first + values.numel()};
}

inline std::vector<double> levels_of(const StateDict& weights) {
  std::vector<double> levels = numbers_of(entry(weights, "levels", {-1}));
  for (std::size_t i = 0; i < levels.size(); ++i) {
    if (levels[i] > (i == 0 ? 0.0 : levels[i - 1])) continue;
    throw error::InvalidArgument(formatted("{}: 'levels' are {}, expected ascending numbers > 0",
                                           who, joined(levels, ", ")));
  }
  return levels;
}

/// sup over frequencies of sum_c |w_c|^2, from a grid: a trigonometric polynomial of degree n along
/// an axis is nowhere larger than its maximum on N > 2 n points over cos(pi n / N) (Ehlich and
/// Zeller, Math. Z. 86, 1964).
inline double norm_squared_of(const Tensor& filters) {
  const std::int64_t dimensions = filters.dim() - 2;
  std::vector<std::int64_t> grid;
  std::vector<std::int64_t> axes;
  double factor = 1;
  for (std::int64_t axis = 0; axis < dimensions; ++axis) {
    const std::int64_t degree = filters.size(axis + 2) - 1;
    const std::int64_t points = std::max<std::int64_t>(dimensions == 3 ? 64 : 256, 8 * degree);
    grid.push_back(points);
    axes.push_back(axis);
    factor /=
        std::cos(std::numbers::pi * static_cast<double>(degree) / static_cast<double>(points));
  }
  Tensor sum = at::zeros({}, at::kDouble);
  for (std::int64_t c = 0; c < filters.size(0); ++c) {
    sum = sum +
          at::fft_rfftn(filters[c][0], at::IntArrayRef(grid), at::IntArrayRef(axes)).abs().square();
  }
  return factor * sum.max().item<double>();
}

}  // namespace ridge

inline RidgeWeights::RidgeWeights(const StateDict& weights)
    : filters_(ridge::filters_of(weights)),
      spline_(ridge::numbers_of(ridge::entry(weights, "spline.values", {-1})),
              ridge::entry(weights, "spline.spacing", {1}).item<double>()),
      levels_(ridge::levels_of(weights)),
      log_scale_(
          ridge::entry(weights, "log_scale", {count(), static_cast<std::int64_t>(levels_.size())})),
      norm_squared_(ridge::norm_squared_of(filters())) {}

inline Tensor RidgeWeights::scales(double sigma) const {
  const auto above = std::upper_bound(levels_.begin(), levels_.end(), sigma);
  const auto right = static_cast<std::int64_t>(
      std::min<std::size_t>(static_cast<std::size_t>(above - levels_.begin()), levels_.size() - 1));
  const std::int64_t left = std::max<std::int64_t>(right - 1, 0);
  const double low = std::log(levels_[static_cast<std::size_t>(left)]);
  const double high = std::log(levels_[static_cast<std::size_t>(right)]);
  const double part =
      high > low ? std::clamp((std::log(sigma) - low) / (high - low), 0.0, 1.0) : 0.0;
  const Tensor log_scale =
      log_scale_.select(1, left) * (1 - part) + log_scale_.select(1, right) * part;
  std::vector<std::int64_t> shape(static_cast<std::size_t>(dimensions()) + 1, 1);
  shape[0] = count();
  return (log_scale.exp() / sigma).view(shape);
}

}  // namespace tessera::detail
