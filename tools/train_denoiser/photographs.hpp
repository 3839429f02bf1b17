// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/core/Generator.h>

#include <cstdint>
#include <string>
#include <vector>

#include "tessera/core/tensor.hpp"

/// Red, green and blue in the shares of their brightness (ITU-R BT.601): (B, 3, H, W) to
/// (B, 1, H, W).
tessera::Tensor grey(const tessera::Tensor& colour);

/// Photographs in memory, 8 bits per sample, each at several reduced scales: pixels of a camera or
/// a JPEG file are not independent, those of a reduced picture are sharp and nearly free of noise.
class Photographs {
 public:
  /// Reads files, and the pictures of folders. Photographs that are smaller than a crop at every
  /// scale are refused.
  Photographs(const std::vector<std::string>& paths, std::int64_t crop);

  std::size_t count() const { return count_; }
  double megapixels() const;

  /// `count` random crops, turned and mirrored at random: (count, 3, crop, crop), float32 in 0..1.
  /// Of two places drawn for each, that with more detail is taken: most of a photograph is smooth,
  /// and smooth places teach little.
  tessera::Tensor draw(std::int64_t count, at::Generator& generator) const;

 private:
  std::int64_t crop_;
  std::size_t count_ = 0;
  std::vector<tessera::Tensor> pictures_;  // (3, H, W), bytes
  std::vector<double> shares_;             // running sum of crop places, up to 1
};
