// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/core/Generator.h>

#include <cstdint>
#include <vector>

#include "tessera/core/tensor.hpp"

/// A volume to train or measure with, (1, 1, 48, 48, 48), float32, about 0 to 1. Regions of
/// constant intensity, whose borders are level sets of smooth noise; on them ellipsoids and bent
/// tubes; in a part of the volume a texture, noise of a band of frequencies; all of it blurred by a
/// Gaussian of 0.3 to 0.7 voxels. All numbers are random and follow from the seed.
tessera::Tensor random_volume(std::uint64_t seed);

/// The same of intensities that vary smoothly: weak regions of constant intensity, smooth noise, a
/// few ellipsoids, and either Gaussian spots or a product of sines; clamped to 0 to 1, then
/// blurred.
tessera::Tensor smooth_volume(std::uint64_t seed);

/// The synthetic volume of the benchmark family of deepinv.distributed, one channel, (1, 1, 48, 48,
/// 48): a ball on a ramp, with a weak product of sines.
tessera::Tensor benchmark_volume();

/// Volumes of the first two kinds in turn, and crops of them.
class Volumes {
 public:
  /// Of the seeds first, first + 1, ...
  Volumes(std::int64_t count, std::uint64_t first);

  /// `count` random crops, axes exchanged and mirrored at random: (count, 1, crop, crop, crop). Of
  /// two places drawn for each, that with more detail is taken.
  tessera::Tensor draw(std::int64_t count, std::int64_t crop, at::Generator& generator) const;

 private:
  std::vector<tessera::Tensor> volumes_;  // (D, H, W)
};
