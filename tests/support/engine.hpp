// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/convolution.h>
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

/// The extents of an image (B, C, H, W) or of a volume (B, C, D, H, W).
inline engine::Size size_of(const Tensor& x) {
  return {x.size(-2), x.size(-1), x.dim() == 5 ? x.size(2) : 1};
}

/// An engine image or volume with its memory.
struct OwnedImage {
  engine::Buffer memory;
  engine::Image view;

  OwnedImage(const engine::Size& size, std::int64_t channels)
      : memory(size.depth *
               engine::image_floats(size.height, size.width, engine::padded_channels(channels))),
        view(engine::image_at(memory.data(), size, engine::padded_channels(channels))) {}

  /// (1, C, H, W) or (1, C, D, H, W), any dtype.
  explicit OwnedImage(const Tensor& x) : OwnedImage(size_of(x), x.size(1)) {
    const Tensor rows = x.reshape({x.size(1), -1, x.size(-1)}).to(at::kFloat);
    const Tensor padded =
        at::constant_pad_nd(rows.permute({1, 2, 0}), {0, view.channels - rows.size(0)}, 0)
            .contiguous();
    const float* source = padded.const_data_ptr<float>();
    for (std::int64_t i = 0; i < view.depth * view.height; ++i) {
      std::copy_n(source + i * view.width * view.channels, view.width * view.channels, row(i));
    }
  }

  /// (1, channels, H, W), or with several planes (1, channels, D, H, W), float32; channels beyond
  /// `channels` must be zero.
  Tensor tensor(std::int64_t channels) const {
    Tensor all = at::zeros({view.depth, view.height, view.width, view.channels}, at::kFloat);
    for (std::int64_t i = 0; i < view.depth * view.height; ++i) {
      std::copy_n(row(i), view.width * view.channels,
                  all.mutable_data_ptr<float>() + i * view.width * view.channels);
    }
    const Tensor volume = all.permute({3, 0, 1, 2}).unsqueeze(0);
    const Tensor planes = view.depth == 1 ? volume.squeeze(2) : volume;
    if (channels < view.channels &&
        planes.narrow(1, channels, view.channels - channels).any().item<bool>()) {
      throw std::runtime_error("channels that do not exist are not zero");
    }
    return planes.narrow(1, 0, channels).contiguous();
  }

 private:
  /// Row i of all planes' rows.
  float* row(std::int64_t i) const { return view.plane(i / view.height).row(i % view.height); }
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
  const Tensor values = noise(shape, seed);
  return values / std::sqrt(static_cast<double>(values.numel() / shape[0]));
}

/// Of images or volumes, in float64.
inline Tensor convolution(const Tensor& x, const Tensor& weight, const Tensor& bias,
                          std::int64_t stride, std::int64_t padding, bool transposed) {
  const auto axes = static_cast<std::size_t>(x.dim()) - 2;
  const std::optional<Tensor> optional =
      bias.defined() ? std::optional<Tensor>(bias.to(at::kDouble)) : std::nullopt;
  return at::convolution(
      x.to(at::kDouble), weight.to(at::kDouble), optional, std::vector<std::int64_t>(axes, stride),
      std::vector<std::int64_t>(axes, padding), std::vector<std::int64_t>(axes, 1), transposed,
      std::vector<std::int64_t>(axes, 0), 1);
}

inline Tensor padded_conv(const Tensor& x, const Tensor& weight, const Tensor& bias = {}) {
  return convolution(x, weight, bias, 1, 1, false);
}

/// The steps between scales: kernels of size 2 with stride 2.
inline Tensor down_conv(const Tensor& x, const Tensor& weight) {
  return convolution(x, weight, {}, 2, 0, false);
}
inline Tensor up_conv(const Tensor& x, const Tensor& weight) {
  return convolution(x, weight, {}, 2, 0, true);
}

/// The weights of a layer of images (out, in, 3, 3) or of volumes (out, in, 3, 3, 3).
inline engine::WinogradWeights winograd(const Tensor& weight, const Tensor& bias,
                                        engine::TileSize tile) {
  return engine::winograd_weights(weight.const_data_ptr<float>(),
                                  bias.defined() ? bias.const_data_ptr<float>() : nullptr,
                                  weight.size(0), weight.size(1), tile, weight.dim() == 5 ? 3 : 1);
}

/// What such a layer of `out` channels makes of `x` on so many lanes.
inline Tensor convolved(const Tensor& x, const engine::WinogradWeights& weights, std::int64_t out,
                        engine::Epilogue epilogue, const Tensor& residual, int lanes) {
  const OwnedImage in(x);
  const OwnedImage result = residual.defined() ? OwnedImage(residual) : OwnedImage(size_of(x), out);
  engine::Convolution work;
  work.in = in.view;
  work.out = result.view;
  work.residual = result.view;
  work.weights = &weights;
  work.epilogue = epilogue;
  const OwnedLanes memory(lanes, engine::convolution_scratch(weights));
  engine::convolve(work, memory.lanes);
  return result.tensor(out);
}

/// How far a layer may be from its reference, relatively.
constexpr double layer_tolerance = 4e-6;

}  // namespace test
