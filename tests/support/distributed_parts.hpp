// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/ops/cat.h>
#include <ATen/ops/conv1d.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/conv3d.h>
#include <ATen/ops/fft_irfftn.h>
#include <ATen/ops/fft_rfftn.h>
#include <ATen/ops/pad.h>
#include <ATen/ops/tanh.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <cstdlib>
#include <numeric>
#include <utility>

#include "tensors.hpp"
#include "tessera/core/error.hpp"
#include "tessera/denoiser/denoiser.hpp"
#include "tessera/physics/linear_operator.hpp"

/// Small operators and denoisers that the tests of the distributed room share.
namespace test {

using tessera::NoiseLevel;
using tessera::TensorList;

/// The kernel [1 2 1]/4 along every axis, per channel, zero padding.
inline Tensor smooth(const Tensor& x) {
  Tensor result = x;
  const Tensor line = at::tensor({0.25, 0.5, 0.25}, at::kDouble).to(x.scalar_type());
  for (std::int64_t axis = 2; axis < x.dim(); ++axis) {
    const Tensor moved = result.movedim(axis, -1);
    const std::int64_t length = moved.size(-1);
    const Tensor lines = moved.reshape({-1, 1, length});
    result =
        at::conv1d(lines, line.view({1, 1, 3}), {}, 1, 1).view(moved.sizes()).movedim(-1, axis);
  }
  return result.contiguous();
}

/// x <- (1 - sigma) x + sigma tanh(smooth(x)), `rounds` times: local, of reach `rounds`,
/// non-linear, sees borders.
class LocalDenoiser : public tessera::Denoiser {
 public:
  explicit LocalDenoiser(std::int64_t rounds = 2, bool has_reach = true)
      : rounds_(rounds), has_reach_(has_reach) {}
  std::string name() const override { return "local"; }
  std::optional<std::int64_t> reach() const override {
    return has_reach_ ? std::optional(rounds_) : std::nullopt;
  }
  std::optional<double> memory_estimate(at::IntArrayRef shape) const override {
    double elements = 4;
    for (const std::int64_t extent : shape) elements *= static_cast<double>(extent);
    return elements;
  }
  mutable std::vector<std::vector<std::int64_t>> calls;  ///< shapes denoised

 private:
  Tensor do_denoise(const Tensor& x, const NoiseLevel& sigma) const override {
    calls.push_back(x.sizes().vec());
    const Tensor level = sigma.broadcastable(x);
    Tensor result = x;
    for (std::int64_t i = 0; i < rounds_; ++i)
      result = (1 - level) * result + level * at::tanh(smooth(result));
    return result;
  }
  std::int64_t rounds_;
  bool has_reach_;
};

/// Sum over a box of `radii` pixels to each side, less where the image ends, then tanh: what it
/// sees is not as far along every axis. Volumes.
class BoxDenoiser : public tessera::Denoiser {
 public:
  explicit BoxDenoiser(std::vector<std::int64_t> radii) : radii_(std::move(radii)) {}
  std::string name() const override { return "box"; }
  std::optional<std::int64_t> reach() const override {
    return *std::max_element(radii_.begin(), radii_.end());
  }

 private:
  Tensor do_denoise(const Tensor& x, const NoiseLevel& sigma) const override {
    Tensor sum = x;
    for (std::size_t axis = 0; axis < radii_.size(); ++axis) {
      const auto along = static_cast<std::int64_t>(axis) + 2;
      const std::int64_t extent = x.size(along);
      Tensor next = at::zeros_like(sum);
      for (std::int64_t shift = -radii_[axis]; shift <= radii_[axis]; ++shift) {
        const std::int64_t length = extent - std::abs(shift);
        if (length <= 0) continue;
        next.narrow(along, std::max<std::int64_t>(0, -shift), length)
            .add_(sum.narrow(along, std::max<std::int64_t>(0, shift), length));
      }
      sum = next;
    }
    return at::tanh(sigma.broadcastable(x) * sum);
  }
  std::vector<std::int64_t> radii_;
};

/// A denoiser with a grid, as networks that change resolution have: pads right and bottom to
/// multiples of 4 by repetition, adds the smoothed mean of each cell of 4 pixels, crops.
class GridDenoiser : public tessera::Denoiser {
 public:
  std::string name() const override { return "grid"; }
  std::optional<std::int64_t> reach() const override { return 8; }
  std::int64_t alignment() const override { return 4; }
  std::int64_t minimum_extent() const override { return 8; }

 private:
  Tensor do_denoise(const Tensor& x, const NoiseLevel& sigma) const override {
    std::vector<std::int64_t> padding;
    std::vector<std::int64_t> split(x.sizes().begin(), x.sizes().begin() + 2);
    std::vector<std::int64_t> means;
    for (std::int64_t axis = x.dim() - 1; axis >= 2; --axis) {
      const std::int64_t grid =
          x.size(axis) < minimum_extent() ? 8 : 4;  // a rule of its own for short images
      padding.insert(padding.end(), {0, (x.size(axis) + grid - 1) / grid * grid - x.size(axis)});
    }
    const Tensor padded = at::pad(x, padding, "replicate");
    for (std::int64_t axis = 2; axis < x.dim(); ++axis) {
      means.push_back(static_cast<std::int64_t>(split.size()) + 1);
      split.insert(split.end(), {padded.size(axis) / 4, 4});
    }
    const Tensor cells = padded.reshape(split).mean(means, true);
    std::vector<std::int64_t> coarse(x.sizes().begin(), x.sizes().begin() + 2);
    for (std::int64_t axis = 2; axis < x.dim(); ++axis) coarse.push_back(padded.size(axis) / 4);
    const Tensor spread =
        (smooth(cells.reshape(coarse)).view(cells.sizes())).expand(split).reshape(padded.sizes());
    Tensor result = padded + sigma.broadcastable(x).mean() * spread;
    for (std::int64_t axis = 2; axis < x.dim(); ++axis)
      result = result.narrow(axis, 0, x.size(axis));
    return result.contiguous();
  }
};

/// Fails on the images whose number of pixels it is told.
class FailingDenoiser : public tessera::Denoiser {
 public:
  std::string name() const override { return "failing"; }

 private:
  Tensor do_denoise(const Tensor& /*x*/, const NoiseLevel& /*sigma*/) const override {
    throw std::runtime_error("the denoiser broke");
  }
};

/// A x = w (x shifted by `index` + 1, every second pixel along the last axis for odd indices), so
/// that measurements of different operators have different shapes.
class ShiftAndSample : public tessera::LinearOperator {
 public:
  explicit ShiftAndSample(std::int64_t index) : index_(index) {}
  std::string name() const override { return "shift_and_sample"; }

 private:
  double weight() const { return 1.0 + 0.3 * static_cast<double>(index_); }
  bool samples() const { return index_ % 2 == 1; }
  Tensor do_apply(const Tensor& x) const override {
    const Tensor shifted = weight() * x.roll({index_ + 1}, {-1});
    return samples() ? shifted.slice(-1, 0, std::nullopt, 2).contiguous() : shifted;
  }
  Tensor do_apply_adjoint(const Tensor& v) const override {
    Tensor full = v;
    if (samples()) {
      // The length of the image along the last axis is odd in all tests.
      std::vector<std::int64_t> shape = v.sizes().vec();
      shape.back() = 2 * shape.back() - 1;
      full = at::zeros(shape, v.options());
      full.slice(-1, 0, std::nullopt, 2).copy_(v);
    }
    return weight() * full.roll({-(index_ + 1)}, {-1});
  }
  std::int64_t index_;
};

/// Circular convolution with the kernel that is 1 at the origin and 0.5 at pixel index + 1 of the
/// last axis.
class Circulant : public tessera::LinearOperator {
 public:
  explicit Circulant(std::int64_t index) : index_(index) {}
  std::string name() const override { return "circulant"; }

 private:
  static std::vector<std::int64_t> axes(const Tensor& x) {
    std::vector<std::int64_t> list(static_cast<std::size_t>(x.dim() - 2));
    std::iota(list.begin(), list.end(), 2);
    return list;
  }
  Tensor do_apply(const Tensor& x) const override { return x + 0.5 * x.roll({index_ + 1}, {-1}); }
  Tensor do_apply_adjoint(const Tensor& v) const override {
    return v + 0.5 * v.roll({-(index_ + 1)}, {-1});
  }
  tessera::NormalFilter do_normal_filter(const Tensor& x) const override {
    std::vector<std::int64_t> shape = x.sizes().vec();
    shape[0] = 1;
    shape[1] = index_ % 2 == 0 ? 1 : x.size(1);  // one for all channels, or one each
    Tensor kernel = at::zeros(shape, x.options());
    kernel.select(-1, 0).flatten(2).select(-1, 0).add_(1.0);
    kernel.select(-1, index_ + 1).flatten(2).select(-1, 0).add_(0.5);
    return tessera::NormalFilter::on_extents_of(
        x, at::fft_rfftn(kernel, std::nullopt, axes(x)).abs().square());
  }
  std::int64_t index_;
};

/// A(x) = tanh(w x): a forward model that is not linear.
class Saturating : public tessera::Physics {
 public:
  explicit Saturating(std::int64_t index) : weight_(1.0 + 0.4 * static_cast<double>(index)) {}
  std::string name() const override { return "saturating"; }

 private:
  TensorList do_forward(const Tensor& x) const override { return {at::tanh(weight_ * x)}; }
  double weight_;
};

/// An operator that fails, forward and adjoint.
class FailingOperator : public tessera::LinearOperator {
 public:
  std::string name() const override { return "failing"; }

 private:
  Tensor do_apply(const Tensor& /*x*/) const override {
    throw std::runtime_error("the operator broke");
  }
  Tensor do_apply_adjoint(const Tensor& /*v*/) const override {
    throw std::runtime_error("the operator broke");
  }
};

}  // namespace test
