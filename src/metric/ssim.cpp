#include "tessera/metric/ssim.hpp"

#include <ATen/ops/arange.h>
#include <ATen/ops/convolution.h>
#include <ATen/ops/exp.h>
#include <ATen/ops/pad.h>
#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "tessera/core/error.hpp"

namespace tessera {

namespace {

std::int64_t half_width(const SsimOptions& options) {
  return static_cast<std::int64_t>(3.5 * options.sigma + 0.5);
}

/// Averages under the window, at the pixels where it lies within x (N, 1, spatial...): one axis
/// after the other.
Tensor windowed(Tensor x, const Tensor& window) {
  const std::size_t axes = static_cast<std::size_t>(spatial_dimensions(x));
  const std::vector<std::int64_t> ones(axes, 1);
  const std::vector<std::int64_t> zeros(axes, 0);
  for (std::size_t axis = 0; axis < axes; ++axis) {
    std::vector<std::int64_t> shape(axes + 2, 1);
    shape[axis + 2] = window.numel();
    x = at::convolution(x, window.view(shape), std::optional<Tensor>(), ones, zeros, ones, false,
                        zeros, 1);
  }
  return x;
}

void check(const Tensor& image, const Tensor& reference, const SsimOptions& options) {
  check_image(image, "ssim: image");
  check_like(reference, image, "ssim: reference");
  if (!(options.range > 0) || !(options.sigma > 0)) {
    throw error::InvalidArgument(fmt::format("ssim: range is {} and sigma {}, expected both > 0",
                                             options.range, options.sigma));
  }
  const at::IntArrayRef spatial = image.sizes().slice(2);
  if (spatial.size() < 2 ||
      *std::min_element(spatial.begin(), spatial.end()) <= half_width(options)) {
    throw error::ShapeMismatch(
        fmt::format("ssim: image is {}, expected two or three spatial dimensions of more than {} "
                    "pixels, half the "
                    "window's width",
                    describe(image), half_width(options)));
  }
}

}  // namespace

Tensor ssim(const Tensor& image, const Tensor& reference, const SsimOptions& options) {
  check(image, reference, options);
  const std::int64_t half = half_width(options);
  Tensor window =
      at::arange(-half, half + 1, image.options().dtype(at::kDouble).requires_grad(false));
  window = at::exp(-0.5 * (window / options.sigma).square());
  window = (window / window.sum()).to(image.scalar_type());

  // Channels are images of their own.
  std::vector<std::int64_t> planes = image.sizes().vec();
  planes[0] *= planes[1];
  planes[1] = 1;
  const std::vector<std::int64_t> pads(2 * static_cast<std::size_t>(spatial_dimensions(image)),
                                       half);
  const Tensor x = at::pad(image.reshape(planes), pads, "reflect");
  const Tensor y = at::pad(reference.reshape(planes), pads, "reflect");

  const Tensor mean_x = windowed(x, window);
  const Tensor mean_y = windowed(y, window);
  const Tensor mean_xy = mean_x * mean_y;
  const Tensor squares = mean_x.square() + mean_y.square();
  const Tensor variances = (windowed(x.square(), window) - mean_x.square()).clamp_min(0) +
                           (windowed(y.square(), window) - mean_y.square()).clamp_min(0);
  const Tensor covariance = windowed(x * y, window) - mean_xy;

  const double c1 = options.k1 * options.range * options.k1 * options.range;
  const double c2 = options.k2 * options.range * options.k2 * options.range;
  const Tensor index =
      (2 * mean_xy + c1) * (2 * covariance + c2) / ((squares + c1) * (variances + c2));
  return index.reshape({image.size(0), -1}).mean(1, false, at::kDouble);
}

}  // namespace tessera
