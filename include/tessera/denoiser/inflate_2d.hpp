// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/ops/stack.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "tessera/core/error.hpp"
#include "tessera/core/state_dict.hpp"
#include "tessera/core/tensor.hpp"
#include "tessera/core/text.hpp"

namespace tessera {

/// Weights for volumes from those of a DRUNet or DnCNN for images: a volume that is the same in
/// every slice (D, the first spatial dimension) is then denoised slice by slice as the network for
/// images does. Odd kernels become the middle plane of a cube of zeros; kernels of size 2 that
/// halve the extent are spread over two planes, half each, and those that double it repeated.
/// Without training, noise is not averaged across slices, but for the coarse scales.
///
/// Biases are shared with `weights`. Throws error::ShapeMismatch for a tensor that is neither a
/// bias (1 dimension) nor a square kernel (4 dimensions) of size 2 or odd.
StateDict inflate_2d(const StateDict& weights);

inline StateDict inflate_2d(const StateDict& weights) {
  StateDict inflated;
  for (const auto& [name, tensor] : weights) {
    if (tensor.defined() && tensor.dim() == 1) {
      inflated[name] = tensor;
      continue;
    }
    const std::int64_t size = tensor.defined() && tensor.dim() == 4 ? tensor.size(3) : 0;
    const bool is_odd = size % 2 == 1;
    if ((!is_odd && size != 2) || tensor.size(2) != size) {
      throw error::ShapeMismatch(
          formatted("inflate_2d: '{}' is {}, expected a bias or a square kernel of 4 dimensions "
                    "whose size is 2 or odd",
                    name, describe(tensor)));
    }
    const bool doubles = name.starts_with("m_up");
    const Tensor other = is_odd ? at::zeros_like(tensor) : doubles ? tensor : 0.5 * tensor;
    std::vector<Tensor> planes(static_cast<std::size_t>(size), other);
    if (is_odd) planes[static_cast<std::size_t>(size / 2)] = tensor;
    inflated[name] = at::stack(planes, 2);
  }
  return inflated;
}

/// Whether weights are those of a network for volumes: a kernel has 5 dimensions.
inline bool is_for_volumes(const StateDict& weights) {
  return std::any_of(weights.begin(), weights.end(), [](const auto& entry) {
    return entry.second.defined() && entry.second.dim() == 5;
  });
}

}  // namespace tessera
