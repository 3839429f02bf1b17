// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/ops/rand.h>

#include <utility>

#include "engine.hpp"

namespace test {

/// Uniform in +-sqrt(1 / (in * k * k)): LibTorch's default initialisation of a convolution.
inline Tensor default_init(at::IntArrayRef shape, at::Generator& generator) {
  const double bound = 1 / std::sqrt(static_cast<double>(shape[1] * shape[2] * shape[3]));
  return (at::rand(shape, generator, at::TensorOptions().dtype(at::kFloat)) * 2 - 1) * bound;
}

/// A DRUNet in float64 from LibTorch's operations, written as the formula reads.
struct ReferenceDrunet {
  std::vector<std::int64_t> widths;
  std::int64_t blocks;
  std::vector<Tensor> weights;  // in order of use

  ReferenceDrunet(std::vector<std::int64_t> scale_widths, std::int64_t block_count,
                  std::int64_t channels, std::uint64_t seed = 7)
      : widths(std::move(scale_widths)), blocks(block_count) {
    at::Generator generator = at::detail::createCPUGenerator(seed);
    const auto make = [&](at::IntArrayRef shape) {
      weights.push_back(default_init(shape, generator));
    };
    const auto make_blocks = [&](std::int64_t width) {
      for (std::int64_t i = 0; i < 2 * blocks; ++i) make({width, width, 3, 3});
    };
    make({widths[0], channels + 1, 3, 3});
    for (std::size_t i = 0; i + 1 < widths.size(); ++i) {
      make_blocks(widths[i]);
      make({widths[i + 1], widths[i], 2, 2});
    }
    make_blocks(widths.back());
    for (std::size_t i = widths.size() - 1; i-- > 0;) {
      make({widths[i + 1], widths[i], 2, 2});
      make_blocks(widths[i]);
    }
    make({channels, widths[0], 3, 3});
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
      skips.push_back(at::conv2d(x, (*next++).to(at::kDouble), {}, 2));
    }
    Tensor x = residuals(skips.back());
    for (std::size_t i = widths.size() - 1; i-- > 0;) {
      x = at::conv_transpose2d(x + skips[i + 1], (*next++).to(at::kDouble), {}, 2);
      x = residuals(x);
    }
    return padded_conv(x + skips[0], *next++);
  }
};

}  // namespace test
