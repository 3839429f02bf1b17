// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/ops/abs.h>
#include <ATen/ops/median.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/searchsorted.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "tessera/core/check.hpp"
#include "tessera/core/error.hpp"
#include "tessera/core/tensor.hpp"
#include "tessera/core/text.hpp"

namespace tessera {

namespace detail {

inline void check_extents_for_noise(const char* who, const Tensor& image) {
  check_image(image, std::string(who) + ": image");
  for (const std::int64_t extent : image.sizes().slice(2)) {
    if (extent > 1) continue;
    throw error::ShapeMismatch(formatted(
        "{}: image is {}, expected 2 pixels or more along every axis", who, describe(image)));
  }
}

}  // namespace detail

/// Estimates the standard deviation of white Gaussian noise in each image of a batch, shape (B),
/// float64, for denoisers that are to be told a level: the median of |differences along every
/// spatial axis at once|, which edges and shading hardly enter, over 0.6745 (Donoho and Johnstone,
/// Biometrika 81, 1994, on the finest Haar coefficients). Fine texture counts as noise. The median
/// is over all channels. Throws error::ShapeMismatch unless every extent is 2 or more.
inline Tensor estimate_noise(const Tensor& image) {
  detail::check_extents_for_noise("estimate_noise", image);
  Tensor difference = image.to(c10::promoteTypes(image.scalar_type(), at::kFloat));
  for (std::int64_t axis = 2; axis < image.dim(); ++axis) {
    const std::int64_t last = image.size(axis) - 1;
    difference =
        (difference.narrow(axis, 1, last) - difference.narrow(axis, 0, last)) / std::sqrt(2.0);
  }
  constexpr double median_of_normal = 0.67448975019608171;  // of |N(0, 1)|
  TensorList levels;
  for (std::int64_t i = 0; i < image.size(0); ++i) {
    levels.push_back(at::median(at::abs(difference[i])).to(at::kDouble) / median_of_normal);
  }
  return at::stack(levels);
}

namespace detail {

/// The first and the second of each pair of pixels along an axis.
inline std::pair<Tensor, Tensor> pairs_along(const Tensor& image, std::int64_t axis) {
  const std::int64_t pairs = image.size(axis) / 2;
  const Tensor paired = image.narrow(axis, 0, 2 * pairs).unflatten(axis, {pairs, 2});
  return {paired.select(axis + 1, 0), paired.select(axis + 1, 1)};
}

/// The mean of each group of 2 pixels along every axis of an image (C, spatial...).
inline Tensor group_means(const Tensor& image) {
  Tensor means = image.to(at::kDouble);
  for (std::int64_t axis = 1; axis < image.dim(); ++axis) {
    const auto [first, second] = pairs_along(means, axis);
    means = (first + second) / 2;
  }
  return means;
}

/// The square of each group's difference along all axes at once, scaled so that its expectation is
/// a pixel's variance.
inline Tensor group_squares(const Tensor& image) {
  Tensor differences = image.to(at::kDouble);
  for (std::int64_t axis = 1; axis < image.dim(); ++axis) {
    const auto [first, second] = pairs_along(differences, axis);
    differences = (first - second) / std::sqrt(2.0);
  }
  return differences.square();
}

/// Sums over blocks of `side` groups along each axis, of fewer where there are fewer.
inline Tensor block_sums(Tensor groups, std::int64_t side) {
  for (std::int64_t axis = 1; axis < groups.dim(); ++axis) {
    const std::int64_t length = std::min(groups.size(axis), side);
    const std::int64_t blocks = groups.size(axis) / length;
    groups =
        groups.narrow(axis, 0, blocks * length).unflatten(axis, {blocks, length}).sum(axis + 1);
  }
  return groups;
}

/// Groups along an axis of a block of about 64 of them.
inline std::int64_t side_of_blocks(const Tensor& groups) {
  return groups.dim() == 3 ? 8 : 4;
}

/// The median of the blocks' variances over their means, weighted by their means.
inline double gain_of_blocks(const Tensor& means, const Tensor& squares) {
  const std::int64_t side = side_of_blocks(means);
  const Tensor sums = block_sums(means, side).flatten();
  const Tensor ratios = block_sums(squares, side).flatten() / sums;
  const auto [sorted, order] = ratios.sort();
  const Tensor weights = sums.index_select(0, order).cumsum(0);
  const Tensor middle = at::searchsorted(weights, weights.select(0, -1) / 2);
  return sorted.index_select(0, middle.reshape({1})).item<double>();
}

/// The mean over the groups, but those whose difference is too large to be noise.
inline double gain_of(const Tensor& image) {
  const Tensor means = group_means(image);
  const Tensor squares = group_squares(image);
  double gain = gain_of_blocks(means, squares);
  constexpr double most_deviations = 3;
  constexpr double variance_below = 0.97334;  // of a normal variable that is below 3 deviations
  constexpr int rounds = 30;
  for (int round = 0; round < rounds && gain > 0; ++round) {
    const Tensor kept = squares < most_deviations * most_deviations * gain * means;
    gain = (squares * kept).sum().item<double>() /
           (variance_below * (means * kept).sum().item<double>());
  }
  return gain;
}

}  // namespace detail

/// Estimates how much one count adds to a value of an image of Poisson noise, y = g Poisson(u / g),
/// in each image of a batch, shape (B), float64: its variance is g times its mean (photon transfer;
/// Foi and others, IEEE Trans. Image Process. 17, 2008). From the differences of estimate_noise()
/// in groups of 2 pixels along every axis, without those beyond 3 standard deviations, which are
/// edges. Fine texture counts as noise; a dark level that was subtracted makes it too large. NaN
/// for an image of zeros. Throws error::ShapeMismatch unless every extent is 2 or more.
inline Tensor estimate_gain(const Tensor& image) {
  detail::check_extents_for_noise("estimate_gain", image);
  std::vector<double> gains;
  for (std::int64_t i = 0; i < image.size(0); ++i) {
    gains.push_back(detail::gain_of(image[i]));
  }
  return at::tensor(gains, at::kDouble);
}

/// Estimates the level that every value of an image has beside what it shows, in each image of a
/// batch, shape (B), float64: a hundredth of the means of blocks of 16x16 pixels, or 8x8x8, is
/// below it. Right where a part of the image shows nothing. Throws as estimate_gain() does.
inline Tensor estimate_background(const Tensor& image) {
  detail::check_extents_for_noise("estimate_background", image);
  std::vector<double> levels;
  for (std::int64_t i = 0; i < image.size(0); ++i) {
    const Tensor groups = detail::group_means(image[i]);
    const Tensor ones = at::ones_like(groups);
    const std::int64_t side = detail::side_of_blocks(groups);
    const Tensor means =
        (detail::block_sums(groups, side) / detail::block_sums(ones, side)).flatten();
    levels.push_back(std::get<0>(means.sort()).select(0, means.size(0) / 100).item<double>());
  }
  return at::tensor(levels, at::kDouble);
}

}  // namespace tessera
