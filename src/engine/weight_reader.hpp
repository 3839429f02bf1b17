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
      : weights_(weights), tile_(tile), cache_(cache) {}

  std::int64_t left() const { return static_cast<std::int64_t>(weights_.size()) - next_; }
  /// The next one; a size of -1 stands for any.
  Tensor next(at::IntArrayRef shape);
  /// The next one, (channels, channels, 3, 3), transformed; with `has_bias` the one after it is its
  /// bias.
  WinogradPtr next_winograd(std::int64_t channels, bool has_bias);

  /// True where tiles of six are expected to be faster: their weights, 1.8 times as many bytes,
  /// must still come from a cache.
  static bool pays(TileSize tile, std::int64_t channels);

 private:
  const std::vector<Tensor>& weights_;
  TileSize tile_;
  WinogradCache& cache_;
  std::int64_t next_ = 0;
};

/// A weight's values; null for an undefined or a meta tensor.
const float* values_of(const Tensor& weight);

}  // namespace tessera::engine
