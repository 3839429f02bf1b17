// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/ops/rand.h>

#include <utility>

#include "engine.hpp"
#include "networks.hpp"

namespace test {

/// Uniform in +-sqrt(1 / (in * k * k)): LibTorch's default initialisation of a convolution.
inline Tensor default_init(at::IntArrayRef shape, at::Generator& generator) {
  const Tensor values = at::rand(shape, generator, at::TensorOptions().dtype(at::kFloat)) * 2 - 1;
  return values / std::sqrt(static_cast<double>(values.numel() / shape[0]));
}

/// A DRUNet in float64 from LibTorch's operations, written as the formula reads.
struct ReferenceDrunet {
  std::vector<std::int64_t> widths;
  std::int64_t blocks;
  std::vector<Tensor> weights;  // in order of use

  ReferenceDrunet(std::vector<std::int64_t> scale_widths, std::int64_t block_count,
                  std::int64_t channels, std::int64_t dimensions = 2, std::uint64_t seed = 7)
      : widths(std::move(scale_widths)), blocks(block_count) {
    at::Generator generator = at::detail::createCPUGenerator(seed);
    const auto make = [&](std::int64_t first, std::int64_t second, std::int64_t size) {
      weights.push_back(default_init(kernel_shape(first, second, size, dimensions), generator));
    };
    const auto make_blocks = [&](std::int64_t width) {
      for (std::int64_t i = 0; i < 2 * blocks; ++i) make(width, width, 3);
    };
    make(widths[0], channels + 1, 3);
    for (std::size_t i = 0; i + 1 < widths.size(); ++i) {
      make_blocks(widths[i]);
      make(widths[i + 1], widths[i], 2);
    }
    make_blocks(widths.back());
    for (std::size_t i = widths.size() - 1; i-- > 0;) {
      make(widths[i + 1], widths[i], 2);
      make_blocks(widths[i]);
    }
    make(channels, widths[0], 3);
  }

  Tensor operator()(const Tensor& input) const {
    auto next = weights.begin();
    const auto residuals = [&](Tensor x) {
      for (std::int64_t i = 0; i < blocks; ++i) {
        const Tensor inner = at::relu(padded_conv(x, *next++));
        x = x + padded_conv(inner, *next++);
      }
      return x;
    };
    std::vector<Tensor> skips = {padded_conv(input, *next++)};
    for (std::size_t i = 0; i + 1 < widths.size(); ++i) {
      const Tensor x = residuals(skips.back());
      skips.push_back(down_conv(x, *next++));
    }
    Tensor x = residuals(skips.back());
    for (std::size_t i = widths.size() - 1; i-- > 0;) {
      x = up_conv(x + skips[i + 1], *next++);
      x = residuals(x);
    }
    return padded_conv(x + skips[0], *next++);
  }
};

}  // namespace test
