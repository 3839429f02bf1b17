// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "tessera/core/tensor.hpp"
#include "weights.hpp"

namespace tessera::engine {

using WinogradPtr = std::shared_ptr<const WinogradWeights>;

/// Transformed weights that two versions of a network have in common: by the place of the weight in
/// the order of use and by tile size.
using WinogradCache = std::map<std::pair<std::int64_t, TileSize>, WinogradPtr>;

/// Hands out weights in order, as contiguous float32 on the host (meta tensors as they are), and
/// checks their shapes.
class WeightReader {
 public:
  /// `tile` is for the layers that may gain by it (see pays), the others have tiles of four.
  WeightReader(const std::vector<Tensor>& weights, TileSize tile, WinogradCache& cache)
      : weights_(weights),
        volumes_(!weights.empty() && weights.front().dim() == 5),
        tile_(tile),
        cache_(cache) {}

  std::int64_t left() const { return static_cast<std::int64_t>(weights_.size()) - next_; }
  /// The next one; a size of -1 stands for any.
  Tensor next(at::IntArrayRef shape);
  /// The next one, a kernel of this size along each of its two axes, or three if the first of all
  /// weights has three: (first, second, size, size) or (first, second, size, size, size).
  Tensor next_kernel(std::int64_t first, std::int64_t second, std::int64_t size);
  /// Planes of a kernel of this size: 1 for images.
  std::int64_t planes(std::int64_t size) const { return volumes_ ? size : 1; }
  /// The next one, a kernel of size 3 from `channels` to `channels`, transformed; with `has_bias`
  /// the one after it is its bias.
  WinogradPtr next_winograd(std::int64_t channels, bool has_bias);

  /// True where tiles of six are expected to be faster: their weights, 1.8 times as many bytes,
  /// must still come from a cache.
  bool pays(TileSize tile, std::int64_t channels) const;

 private:
  const std::vector<Tensor>& weights_;
  bool volumes_;
  TileSize tile_;
  WinogradCache& cache_;
  std::int64_t next_ = 0;
};

/// A weight's values; null for an undefined or a meta tensor.
const float* values_of(const Tensor& weight);

}  // namespace tessera::engine
