// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "tensors.hpp"
#include "tessera/core/state_dict.hpp"

/// Small networks with deterministic weights.
namespace test {

/// Keys and shapes in the order in which a network declares its parameters.
using KeyShapes = std::vector<std::pair<std::string, std::vector<std::int64_t>>>;

inline std::vector<std::int64_t> kernel_shape(std::int64_t out, std::int64_t in, std::int64_t size,
                                              std::int64_t dimensions) {
  std::vector<std::int64_t> shape{out, in};
  shape.insert(shape.end(), static_cast<std::size_t>(dimensions), size);
  return shape;
}

inline KeyShapes drunet_keys(std::int64_t channels, const std::vector<std::int64_t>& widths,
                             std::int64_t blocks, std::int64_t dimensions = 2) {
  KeyShapes keys;
  const auto add = [&](const std::string& key, std::int64_t out, std::int64_t in,
                       std::int64_t size) {
    keys.emplace_back(key + ".weight", kernel_shape(out, in, size, dimensions));
  };
  const auto add_blocks = [&](const std::string& stage, std::int64_t first, std::int64_t width) {
    for (std::int64_t i = first; i < first + blocks; ++i) {
      add(stage + "." + std::to_string(i) + ".res.0", width, width, 3);
      add(stage + "." + std::to_string(i) + ".res.2", width, width, 3);
    }
  };
  const std::size_t coarsest = widths.size() - 1;
  add("m_head", widths[0], channels + 1, 3);
  for (std::size_t i = 0; i < coarsest; ++i) {
    const std::string stage = "m_down" + std::to_string(i + 1);
    add_blocks(stage, 0, widths[i]);
    add(stage + "." + std::to_string(blocks), widths[i + 1], widths[i], 2);
  }
  add_blocks("m_body", 0, widths[coarsest]);
  for (std::size_t i = coarsest; i-- > 0;) {
    const std::string stage = "m_up" + std::to_string(i + 1);
    add(stage + ".0", widths[i + 1], widths[i], 2);
    add_blocks(stage, 1, widths[i]);
  }
  add("m_tail", channels, widths[0], 3);
  return keys;
}

inline KeyShapes dncnn_keys(std::int64_t channels, std::int64_t width, std::int64_t depth,
                            bool bias, std::int64_t dimensions = 2) {
  KeyShapes keys;
  const auto add = [&](const std::string& layer, std::int64_t out, std::int64_t in) {
    keys.emplace_back(layer + ".weight", kernel_shape(out, in, 3, dimensions));
    if (bias) keys.emplace_back(layer + ".bias", std::vector<std::int64_t>{out});
  };
  add("in_conv", width, channels);
  for (std::int64_t i = 0; i < depth - 2; ++i) add("conv_list." + std::to_string(i), width, width);
  add("out_conv", channels, width);
  return keys;
}

/// Value n of the i-th parameter: sin(0.7 n + i), times 1 / sqrt(fan-in) for kernels and 0.1 for
/// biases. float64.
inline tessera::StateDict sine_weights(const KeyShapes& keys) {
  tessera::StateDict weights;
  double index = 0;
  for (const auto& [key, shape] : keys) {
    std::int64_t count = 1;
    for (const std::int64_t extent : shape) count *= extent;
    const double scale =
        shape.size() == 1
            ? 0.1
            : 1 / std::sqrt(static_cast<double>(count) / static_cast<double>(shape[0]));
    const Tensor n = at::arange(count, at::TensorOptions().dtype(at::kDouble));
    weights[key] = (at::sin(0.7 * n + index) * scale).view(shape);
    index += 1;
  }
  return weights;
}

}  // namespace test
