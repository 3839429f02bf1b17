// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/conv_transpose2d.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/zeros.h>

#include <cmath>
#include <optional>
#include <stdexcept>
#include <vector>

#include "engine/layers.hpp"
#include "tensors.hpp"

/// Engine images from and to tensors.
namespace test {

namespace engine = tessera::engine;

/// An engine image with its memory.
struct OwnedImage {
  engine::Buffer memory;
  engine::Image view;

  OwnedImage(std::int64_t height, std::int64_t width, std::int64_t channels)
      : memory(engine::image_floats(height, width, engine::padded_channels(channels))),
        view(engine::image_at(memory.data(), height, width, engine::padded_channels(channels))) {}

  /// (1, C, H, W) or (C, H, W), any dtype.
  explicit OwnedImage(const Tensor& x) : OwnedImage(x.size(-2), x.size(-1), x.size(-3)) {
    const Tensor planes = x.view({x.size(-3), x.size(-2), x.size(-1)}).to(at::kFloat);
    const Tensor padded =
        at::constant_pad_nd(planes.permute({1, 2, 0}), {0, view.channels - planes.size(0)}, 0)
            .contiguous();
    const float* source = padded.const_data_ptr<float>();
    for (std::int64_t y = 0; y < view.height; ++y) {
      std::copy_n(source + y * view.width * view.channels, view.width * view.channels, view.row(y));
    }
  }

  /// (1, channels, H, W) float32; channels beyond `channels` must be zero.
  Tensor tensor(std::int64_t channels) const {
    Tensor all = at::zeros({view.height, view.width, view.channels}, at::kFloat);
    for (std::int64_t y = 0; y < view.height; ++y) {
      std::copy_n(view.row(y), view.width * view.channels,
                  all.mutable_data_ptr<float>() + y * view.width * view.channels);
    }
    const Tensor planes = all.permute({2, 0, 1}).unsqueeze(0);
    if (channels < view.channels &&
        planes.narrow(1, channels, view.channels - channels).any().item<bool>()) {
      throw std::runtime_error("channels that do not exist are not zero");
    }
    return planes.narrow(1, 0, channels).contiguous();
  }
};

/// Scratch memory of `count` lanes.
struct OwnedLanes {
  engine::Buffer memory;
  engine::Lanes lanes;

  OwnedLanes(int count, std::int64_t floats) : memory(count * engine::round_up(floats, 16)) {
    lanes = {memory.data(), engine::round_up(floats, 16), count};
  }
};

/// Gaussian values, float32: sums of them do not cancel by chance of a formula, so that errors
/// relative to the result are errors of the arithmetic.
inline Tensor noise(at::IntArrayRef shape, std::uint64_t seed) {
  at::Generator generator = at::detail::createCPUGenerator(seed);
  return at::randn(shape, generator, at::TensorOptions().dtype(at::kFloat));
}

/// A kernel that keeps the scale of its input.
inline Tensor kernel(at::IntArrayRef shape, std::uint64_t seed) {
  return noise(shape, seed) / std::sqrt(static_cast<double>(shape[1] * shape[2] * shape[3]));
}

inline Tensor padded_conv(const Tensor& x, const Tensor& weight, const Tensor& bias = {}) {
  const std::optional<Tensor> optional =
      bias.defined() ? std::optional<Tensor>(bias.to(at::kDouble)) : std::nullopt;
  return at::conv2d(x.to(at::kDouble), weight.to(at::kDouble), optional, 1, 1);
}

}  // namespace test
