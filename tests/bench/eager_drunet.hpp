// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/ops/conv2d.h>
#include <ATen/ops/conv_transpose2d.h>

#include <string>
#include <vector>

#include "tessera/core/state_dict.hpp"

namespace bench {

using tessera::Tensor;

/// DRUNet as PyTorch programs usually run it: one LibTorch operation after the other, images in the
/// layout (B, C, H, W) in which they come.
class EagerDrunet {
 public:
  EagerDrunet(const tessera::StateDict& weights, std::size_t scales, std::int64_t blocks)
      : weights_(weights), scales_(scales), blocks_(blocks) {}

  /// input: image and noise level map.
  Tensor operator()(const Tensor& input) const {
    std::vector<Tensor> skips = {at::conv2d(input, weight("m_head"), {}, 1, 1)};
    for (std::size_t i = 1; i < scales_; ++i) {
      const std::string stage = "m_down" + std::to_string(i);
      const Tensor x = residuals(skips.back(), stage, 0);
      skips.push_back(at::conv2d(x, weight(stage + "." + std::to_string(blocks_)), {}, 2));
    }
    Tensor x = residuals(skips.back(), "m_body", 0);
    for (std::size_t i = scales_ - 1; i > 0; --i) {
      const std::string stage = "m_up" + std::to_string(i);
      x = at::conv_transpose2d(x + skips[i], weight(stage + ".0"), {}, 2);
      x = residuals(x, stage, 1);
    }
    return at::conv2d(x + skips[0], weight("m_tail"), {}, 1, 1);
  }

 private:
  const Tensor& weight(const std::string& layer) const { return weights_.at(layer + ".weight"); }

  Tensor residuals(Tensor x, const std::string& stage, std::int64_t first) const {
    for (std::int64_t i = first; i < first + blocks_; ++i) {
      const std::string block = stage + "." + std::to_string(i) + ".res.";
      const Tensor inner = at::conv2d(x, weight(block + "0"), {}, 1, 1).relu_();
      x = x + at::conv2d(inner, weight(block + "2"), {}, 1, 1);
    }
    return x;
  }

  tessera::StateDict weights_;
  std::size_t scales_;
  std::int64_t blocks_;
};

}  // namespace bench
