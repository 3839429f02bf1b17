// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <vector>

#include "tessera/core/state_dict.hpp"

/// What is trained of a RidgePrior of images or volumes, as leaves of LibTorch's graph, and the
/// prior they stand for.
class RidgeModel {
 public:
  /// Starts from the lowest frequencies of a discrete cosine transform and one potential for all.
  RidgeModel(std::int64_t dimensions, std::int64_t channels, std::int64_t size);
  /// Starts from what weights() of such a model gave.
  explicit RidgeModel(const tessera::StateDict& weights);

  /// Images (B, 1, spatial...), levels (B). A part of the way to the minimiser of 0.5 |u - noisy|^2
  /// + g(u; level): `free` accelerated gradient steps without a graph, then `steps` with one.
  tessera::Tensor denoise(const tessera::Tensor& noisy, const tessera::Tensor& levels,
                          std::int64_t free, std::int64_t steps) const;

  /// Keeps the potentials' second derivatives in a range in which 0.5 |u|^2 + g(u) is convex.
  void project();

  std::vector<tessera::Tensor> parameters() const { return {filters_, slopes_, log_scale_}; }
  std::int64_t dimensions() const { return filters_.dim() - 2; }
  std::int64_t filter_extent() const { return filters_.size(-1); }
  /// As RidgePrior takes it.
  tessera::StateDict weights() const;

 private:
  /// Without mean, such that sum_c |w_c^|^2 is at most 1.
  tessera::Tensor unit_filters() const;
  /// alpha_c of each level, (B, channels, 1...).
  tessera::Tensor scales(const tessera::Tensor& levels) const;

  tessera::Tensor filters_;    // (channels, 1, size...)
  tessera::Tensor slopes_;     // of phi between its knots
  tessera::Tensor log_scale_;  // (channels, levels)
  tessera::Tensor log_levels_;
};
