// SPDX-License-Identifier: BSD-3-Clause
#include "weight_reader.hpp"

#include <fmt/format.h>

#include "image.hpp"
#include "tessera/core/error.hpp"

namespace tessera::engine {

Tensor WeightReader::next(at::IntArrayRef shape) {
  if (left() == 0) {
    throw error::ShapeMismatch(fmt::format("engine: {} weights are too few", weights_.size()));
  }
  const Tensor& weight = weights_[static_cast<std::size_t>(next_++)];
  bool fits = weight.dim() == static_cast<std::int64_t>(shape.size());
  for (std::size_t i = 0; fits && i < shape.size(); ++i) {
    fits = shape[i] < 0 || weight.size(static_cast<std::int64_t>(i)) == shape[i];
  }
  if (!fits) {
    throw error::ShapeMismatch(fmt::format("engine: weight {} is {}, expected {} (-1: any)",
                                           next_ - 1, describe(weight), to_string(shape)));
  }
  return weight.is_meta() ? weight : weight.detach().to(at::kCPU, at::kFloat).contiguous();
}

Tensor WeightReader::next_kernel(std::int64_t first, std::int64_t second, std::int64_t size) {
  if (volumes_) return next({first, second, size, size, size});
  return next({first, second, size, size});
}

const float* values_of(const Tensor& weight) {
  return weight.defined() && !weight.is_meta() ? weight.const_data_ptr<float>() : nullptr;
}

WinogradPtr WeightReader::next_winograd(std::int64_t channels, bool has_bias) {
  const TileSize tile = pays(tile_, channels) ? tile_ : TileSize::four;
  WinogradPtr& entry = cache_[{next_, tile}];
  const Tensor weight = next_kernel(channels, channels, 3);
  const Tensor bias = has_bias ? next({channels}) : Tensor();
  if (entry == nullptr) {
    entry = std::make_shared<const WinogradWeights>(
        winograd_weights(values_of(weight), values_of(bias), channels, channels, tile, planes(3)));
  }
  return entry;
}

bool WeightReader::pays(TileSize tile, std::int64_t channels) const {
  constexpr std::int64_t bytes_at_once = 8 << 20;
  const std::int64_t padded = padded_channels(channels);
  const auto points = tile_points(static_cast<std::int64_t>(tile));
  return points * planes(3) * padded * padded * static_cast<std::int64_t>(sizeof(float)) <=
         bytes_at_once;
}

}  // namespace tessera::engine
