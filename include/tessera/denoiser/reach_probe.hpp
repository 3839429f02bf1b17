// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/rand.h>
#include <c10/core/Device.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <optional>
#include <utility>
#include <vector>

#include "tessera/core/error.hpp"
#include "tessera/core/text.hpp"
#include "tessera/denoiser/denoiser.hpp"

namespace tessera {

/// How a denoiser is probed. An image of noise is made for it, `largest_extent` long along one axis
/// at most and 64 along the others.
struct ReachProbeOptions {
  std::int64_t channels = 3;
  std::int64_t dimensions = 2;  ///< spatial: 1 to 3
  double sigma = 0.1;
  at::Device device = at::kCPU;  ///< of the image
  std::int64_t largest_extent = 1024;
  std::int64_t largest_alignment = 64;
};

/// What Denoiser::reach() and Denoiser::alignment() would have to say.
struct ProbedReach {
  /// nullopt: an output pixel depends on pixels at both ends of the longest image tried, or beyond
  /// one of them; take it for "on all".
  std::optional<std::int64_t> reach;
  /// The smallest shift by which the image can move and the result moves with it; nullopt: none up
  /// to the largest tried, or the reach is unknown.
  std::optional<std::int64_t> alignment;
};

/// Measures on which pixels an output pixel depends, and on which grid the denoiser is
/// translation-invariant. The reach is that of the derivative, which is zero exactly where there is
/// no influence, however weak that is far away; it is taken along each axis, for each position on
/// the grid. The alignment is found by denoising shifted images, in double precision.
///
/// An influence that shows for other images only (attention, thresholds that noise does not pass)
/// can be missed: a statement of whoever made the network is better where there is one.
///
/// Throws error::InvalidArgument for options that cannot work or a denoiser that is not
/// differentiable in x, and what the denoiser throws. Costs up to some hundred evaluations of
/// largest_extent x 64 pixels, usually far fewer. Collective if the denoiser is distributed.
ProbedReach probe_reach(const Denoiser& denoiser, const ReachProbeOptions& options = {});

namespace detail {

inline constexpr std::int64_t narrow_extent = 64;

/// The denoiser along one spatial axis.
class AxisProbe {
 public:
  AxisProbe(const Denoiser& denoiser, const ReachProbeOptions& options, std::int64_t axis)
      : denoiser_(denoiser),
        options_(options),
        axis_(axis),
        narrow_(std::max(narrow_extent, denoiser.minimum_extent())) {}

  ProbedReach run() {
    const std::optional<std::int64_t> central = central_reach();
    if (!central) return {};
    const std::optional<std::int64_t> alignment = smallest_shift(*central);
    if (!alignment) return {central, std::nullopt};
    // Room for the alignment's other positions.
    const std::int64_t extent = fitting(2 * (*central + *alignment) + narrow_);
    const Tensor x = image(extent);
    std::int64_t reach = 0;
    for (std::int64_t position = 0; position < *alignment; ++position) {
      const std::int64_t pixel = extent / 2 + position;
      const auto [first, last] = support(x, pixel);
      reach = std::max({reach, pixel - first, last - pixel});
    }
    return {reach, alignment};
  }

 private:
  /// A multiple of every alignment that is a power of two, so that no size rule comes in.
  std::int64_t fitting(std::int64_t extent) const {
    const std::int64_t multiple = options_.largest_alignment;
    return (std::max(extent, narrow_) + multiple - 1) / multiple * multiple;
  }

  Tensor image(std::int64_t extent) const {
    std::vector<std::int64_t> shape{1, options_.channels};
    shape.insert(shape.end(), static_cast<std::size_t>(options_.dimensions), narrow_);
    shape[static_cast<std::size_t>(axis_)] = extent;
    at::Generator generator = at::detail::createCPUGenerator(7);
    return at::rand(shape, std::optional<at::Generator>(generator),
                    at::TensorOptions().dtype(at::kDouble))
        .to(options_.device);
  }

  /// First and last pixel that the outputs at `pixel` of the axis depend on.
  std::pair<std::int64_t, std::int64_t> support(const Tensor& image, std::int64_t pixel) const {
    const Tensor x = image.detach().clone().requires_grad_();
    const Tensor result = denoiser_.denoise(x, options_.sigma).select(axis_, pixel);
    if (!result.requires_grad()) {
      throw error::InvalidArgument(
          formatted("probe_reach: {} is not differentiable", denoiser_.name()));
    }
    at::Generator generator = at::detail::createCPUGenerator(8);
    const Tensor weights = at::rand(result.sizes(), std::optional<at::Generator>(generator),
                                    at::TensorOptions().dtype(at::kDouble))
                               .to(options_.device);
    (result * weights).sum().backward();
    std::vector<std::int64_t> others(static_cast<std::size_t>(image.dim()));
    std::iota(others.begin(), others.end(), 0);
    others.erase(others.begin() + axis_);
    // The largest, not the sum: squares and sums of tiny derivatives would vanish.
    const Tensor touched = x.grad().abs().amax(others).nonzero().reshape({-1});
    if (touched.numel() == 0) return {pixel, pixel};
    return {touched[0].item<std::int64_t>(), touched[-1].item<std::int64_t>()};
  }

  /// The reach of the middle pixel, in an image that is longer than it; nullopt: none is.
  std::optional<std::int64_t> central_reach() const {
    for (std::int64_t extent = fitting(0); extent <= options_.largest_extent; extent *= 2) {
      const auto [first, last] = support(image(extent), extent / 2);
      if (first > 0 && last < extent - 1) {
        return std::max(extent / 2 - first, last - extent / 2);
      }
    }
    return std::nullopt;
  }

  /// Denoises an image and the same image without its first `shift` pixels: where neither feels a
  /// border, the results must be the same.
  std::optional<std::int64_t> smallest_shift(std::int64_t central) const {
    const c10::InferenceMode no_gradients;
    const std::int64_t margin = central + options_.largest_alignment;
    const std::int64_t extent = fitting(2 * margin + narrow_ + options_.largest_alignment);
    const Tensor x = image(extent);
    const Tensor whole = denoiser_.denoise(x, options_.sigma);
    const double tolerance = 1e-5 * whole.abs().max().item<double>();
    for (std::int64_t shift = 1; shift <= options_.largest_alignment; ++shift) {
      const Tensor moved = denoise_or_nothing(x.narrow(axis_, shift, extent - shift).contiguous());
      if (!moved.defined()) continue;
      const std::int64_t inside = extent - shift - 2 * margin;
      const Tensor difference =
          moved.narrow(axis_, margin, inside) - whole.narrow(axis_, margin + shift, inside);
      if (difference.abs().max().item<double>() <= tolerance) return shift;
    }
    return std::nullopt;
  }

  /// Undefined for an extent that the denoiser does not take.
  Tensor denoise_or_nothing(const Tensor& x) const {
    try {
      return denoiser_.denoise(x, options_.sigma);
    } catch (const error::InvalidArgument&) {
      return {};
    }
  }

  const Denoiser& denoiser_;
  const ReachProbeOptions& options_;
  std::int64_t axis_;
  std::int64_t narrow_;
};

}  // namespace detail

inline ProbedReach probe_reach(const Denoiser& denoiser, const ReachProbeOptions& options) {
  if (options.channels < 1 || options.dimensions < 1 || options.dimensions > 3 ||
      options.largest_alignment < 1 || options.largest_extent < 1) {
    throw error::InvalidArgument(formatted(
        "probe_reach: channels {}, dimensions {}, largest_alignment {}, largest_extent "
        "{}, expected positive numbers and at most 3 dimensions",
        options.channels, options.dimensions, options.largest_alignment, options.largest_extent));
  }
  const c10::InferenceMode normal(false);
  const at::AutoGradMode with_gradients(true);
  ProbedReach result{0, 1};
  for (std::int64_t axis = 2; axis < 2 + options.dimensions; ++axis) {
    const ProbedReach along = detail::AxisProbe(denoiser, options, axis).run();
    if (!along.reach) return {};
    if (!along.alignment) result.alignment.reset();
    result.reach = std::max(result.reach, along.reach);
    if (result.alignment) result.alignment = std::lcm(*result.alignment, *along.alignment);
  }
  return result;
}

}  // namespace tessera
