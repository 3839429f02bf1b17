// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/ops/convolution.h>

#include <string>
#include <vector>

#include "tessera/core/state_dict.hpp"

namespace bench {

using tessera::Tensor;

/// DRUNet as PyTorch programs usually run it: one LibTorch operation after the other, images in the
/// layout (B, C, H, W), or (B, C, D, H, W), in which they come.
class EagerDrunet {
 public:
  EagerDrunet(const tessera::StateDict& weights, std::size_t scales, std::int64_t blocks)
      : weights_(weights), scales_(scales), blocks_(blocks) {}

  /// input: image and noise level map.
  Tensor operator()(const Tensor& input) const {
    std::vector<Tensor> skips = {convolve(input, "m_head")};
    for (std::size_t i = 1; i < scales_; ++i) {
      const std::string stage = "m_down" + std::to_string(i);
      const Tensor x = residuals(skips.back(), stage, 0);
      skips.push_back(step(x, stage + "." + std::to_string(blocks_), false));
    }
    Tensor x = residuals(skips.back(), "m_body", 0);
    for (std::size_t i = scales_ - 1; i > 0; --i) {
      const std::string stage = "m_up" + std::to_string(i);
      x = step(x + skips[i], stage + ".0", true);
      x = residuals(x, stage, 1);
    }
    return convolve(x + skips[0], "m_tail");
  }

 private:
  Tensor convolution(const Tensor& x, const std::string& layer, std::int64_t stride,
                     std::int64_t padding, bool transposed) const {
    const auto axes = static_cast<std::size_t>(x.dim()) - 2;
    const auto each = [axes](std::int64_t value) { return std::vector<std::int64_t>(axes, value); };
    return at::convolution(x, weights_.at(layer + ".weight"), {}, each(stride), each(padding),
                           each(1), transposed, each(0), 1);
  }
  Tensor convolve(const Tensor& x, const std::string& layer) const {
    return convolution(x, layer, 1, 1, false);
  }
  Tensor step(const Tensor& x, const std::string& layer, bool transposed) const {
    return convolution(x, layer, 2, 0, transposed);
  }

  Tensor residuals(Tensor x, const std::string& stage, std::int64_t first) const {
    for (std::int64_t i = first; i < first + blocks_; ++i) {
      const std::string block = stage + "." + std::to_string(i) + ".res.";
      const Tensor inner = convolve(x, block + "0").relu_();
      x = x + convolve(inner, block + "2");
    }
    return x;
  }

  tessera::StateDict weights_;
  std::size_t scales_;
  std::int64_t blocks_;
};

}  // namespace bench
