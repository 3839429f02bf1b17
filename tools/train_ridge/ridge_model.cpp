// SPDX-License-Identifier: BSD-3-Clause
#include "ridge_model.hpp"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/argsort.h>
#include <ATen/ops/cartesian_prod.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/convolution.h>
#include <ATen/ops/diff.h>
#include <ATen/ops/fft_rfftn.h>
#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/searchsorted.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>

#include "spline.hpp"
#include "tessera/prior/detail/odd_spline.hpp"

using tessera::StateDict;
using tessera::Tensor;

namespace {

constexpr std::int64_t knots = 30;
constexpr float spacing = 0.1F;
// RidgePrior's bound of sum_c |w_c^|^2, which is 1 here, is 0.6 percent too large for images and 6
// for volumes.
constexpr double least_slope = -0.95;
constexpr double least_slope_of_volumes = -0.9;
constexpr double largest_slope = 10;
const std::vector<double> levels_of_table{2.0 / 255, 5.0 / 255, 12.5 / 255, 25.0 / 255, 50.0 / 255};

/// Products of cosines, the lowest frequencies first, without the constant.
Tensor cosines(std::int64_t dimensions, std::int64_t channels, std::int64_t size) {
  const std::vector<Tensor> axes(static_cast<std::size_t>(dimensions), at::arange(size, at::kLong));
  const Tensor frequencies = at::cartesian_prod(axes);  // (size^dimensions, dimensions)
  const Tensor order = at::argsort(frequencies.square().sum(1), /*stable=*/true);
  const Tensor places =
      (at::arange(size, at::kFloat) + 0.5) * (std::numbers::pi / static_cast<double>(size));
  std::vector<Tensor> filters;
  for (std::int64_t c = 1; c <= channels; ++c) {
    const Tensor frequency = frequencies[order[c].item<std::int64_t>()];
    Tensor filter = at::ones({1});
    for (std::int64_t axis = 0; axis < dimensions; ++axis) {
      filter = filter.unsqueeze(-1) * (places * frequency[axis]).cos();
    }
    filters.push_back(filter / filter.norm());
  }
  return at::stack(filters);
}

/// The sums over all places at which the filters lie within the images, or the transpose of that.
Tensor filtered(const Tensor& images, const Tensor& filters, bool transposed) {
  const std::vector<std::int64_t> ones(static_cast<std::size_t>(filters.dim() - 2), 1);
  const std::vector<std::int64_t> zeros(ones.size(), 0);
  return at::convolution(images, filters, {}, ones, zeros, ones, transposed, zeros, 1);
}

/// One number per image, or per image and channel, to be multiplied with images.
Tensor spread(const Tensor& numbers, std::int64_t dimensions) {
  std::vector<std::int64_t> shape = numbers.sizes().vec();
  shape.resize(static_cast<std::size_t>(dimensions) + 2, 1);
  return numbers.reshape(shape);
}

Tensor leaf(const Tensor& values) {
  return values.detach().clone().set_requires_grad(true);
}

Tensor spline_values(const Tensor& slopes) {
  return at::cat({at::zeros({1}), (slopes * spacing).cumsum(0)});
}

}  // namespace

RidgeModel::RidgeModel(std::int64_t dimensions, std::int64_t channels, std::int64_t size)
    : filters_(leaf(cosines(dimensions, channels, size))),
      log_scale_(leaf(at::full({channels, static_cast<std::int64_t>(levels_of_table.size())},
                               std::log(3.0), at::kFloat))),
      log_levels_(at::tensor(levels_of_table, at::kFloat).log()) {
  const Tensor u = at::arange(knots + 1, at::kFloat) * spacing;
  const Tensor phi = 4 * u / (1 + (2 * u).square());  // of a potential log(1 + 4 u^2) / 2
  slopes_ = leaf((phi.narrow(0, 1, knots) - phi.narrow(0, 0, knots)) / spacing);
}

RidgeModel::RidgeModel(const StateDict& weights)
    : RidgeModel(weights.at("filters").dim() - 2, 1, weights.at("filters").size(-1)) {
  const Tensor& filters = weights.at("filters");
  filters_ = leaf(filters / filters.flatten(1).norm(2, 1).mean());
  const Tensor values = at::cat({at::zeros({1}), weights.at("spline.values")});
  slopes_ = leaf((values.narrow(0, 1, knots) - values.narrow(0, 0, knots)) / spacing);
  log_scale_ = leaf(weights.at("log_scale"));
}

Tensor RidgeModel::unit_filters() const {
  constexpr std::int64_t grid = 32;
  std::vector<std::int64_t> axes;
  for (std::int64_t axis = 2; axis < filters_.dim(); ++axis) axes.push_back(axis);
  const std::vector<std::int64_t> extents(axes.size(), grid);
  const Tensor filters = filters_ - filters_.mean(axes, true);
  const Tensor spectrum = at::fft_rfftn(filters, at::IntArrayRef(extents), at::IntArrayRef(axes));
  return filters / spectrum.abs().square().sum(0).max().sqrt();
}

Tensor RidgeModel::scales(const Tensor& levels) const {
  const std::int64_t last = log_levels_.size(0) - 1;
  const Tensor x = levels.log();
  const Tensor right = at::searchsorted(log_levels_, x).clamp(1, last);
  const Tensor left = right - 1;
  const Tensor low = log_levels_.index_select(0, left);
  const Tensor part = ((x - low) / (log_levels_.index_select(0, right) - low)).clamp(0, 1);
  const Tensor log_scale = log_scale_.index_select(1, left) * (1 - part) +
                           log_scale_.index_select(1, right) * part;  // (channels, B)
  return spread((log_scale.exp() / levels).t(), dimensions());
}

Tensor RidgeModel::denoise(const Tensor& noisy, const Tensor& levels, std::int64_t free,
                           std::int64_t steps) const {
  const Tensor filters = unit_filters();
  const Tensor values = tessera::detail::returning_to_zero(spline_values(slopes_));
  const Tensor alpha = scales(levels);
  const double steepest = at::diff(values.detach()).max().item<double>() / spacing;
  const double step = 1 / (1 + std::max(0.0, steepest));
  Tensor u = noisy;
  Tensor ahead = noisy;
  const auto advance = [&](std::int64_t count) {
    const Tensor response = filtered(ahead, filters, /*transposed=*/false);
    const Tensor derivative = odd_spline(response * alpha, values, spacing) / alpha;
    const Tensor gradient = ahead - noisy + filtered(derivative, filters, /*transposed=*/true);
    const Tensor next = ahead - step * gradient;
    ahead = next + (static_cast<double>(count) / static_cast<double>(count + 3)) * (next - u);
    u = next;
  };
  {
    const at::NoGradGuard no_graph;
    for (std::int64_t count = 0; count < free; ++count) advance(count);
  }
  for (std::int64_t count = free; count < free + steps; ++count) advance(count);
  return u;
}

void RidgeModel::project() {
  const at::NoGradGuard no_graph;
  slopes_.clamp_(dimensions() == 3 ? least_slope_of_volumes : least_slope, largest_slope);
}

StateDict RidgeModel::weights() const {
  const at::NoGradGuard no_graph;
  return {{"filters", unit_filters().contiguous()},
          {"spline.values", spline_values(slopes_).narrow(0, 1, knots).contiguous()},
          {"spline.spacing", at::full({1}, spacing, at::kFloat)},
          {"levels", log_levels_.exp()},
          {"log_scale", log_scale_.detach().clone()}};
}
