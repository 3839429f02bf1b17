// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/core/grad_mode.h>
#include <ATen/ops/aminmax.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/convolution.h>
#include <ATen/ops/exp.h>
#include <ATen/ops/maximum.h>
#include <ATen/ops/minimum.h>
#include <ATen/ops/pad.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "tessera/core/check.hpp"
#include "tessera/core/error.hpp"
#include "tessera/core/tensor.hpp"
#include "tessera/core/text.hpp"
#include "tessera/metric/detail/ssim_planes.hpp"

namespace tessera {

struct SsimOptions {
  double range = 1;    ///< largest difference that intensities can have, > 0
  double sigma = 1.5;  ///< standard deviation of the Gaussian window, in pixels, > 0
  double k1 = 0.01;    ///< >= 0
  double k2 = 0.03;    ///< >= 0
};

/// True if ssim() has an answer for images of this shape, (B, C, spatial...): two or three spatial
/// dimensions, each longer than half the window's width (at least 6 pixels by default), so that the
/// border can be reflected. For smaller images structural similarity is not defined.
bool ssim_is_defined(at::IntArrayRef shape, const SsimOptions& options = {});

/// Structural similarity of each image of a batch: shape (B), float64, on the images' device; 1 for
/// equal images. Local means, variances and covariance under a Gaussian window of int(3.5 sigma +
/// 0.5) pixels to each side (11 wide by default), images reflected at their borders, the index
/// averaged over all pixels and channels. Two or three spatial dimensions (Wang, Bovik, Sheikh,
/// Simoncelli, "Image quality assessment: from error visibility to structural similarity", TIP 13,
/// 2004; border and window size as in torchmetrics). Computed in float32 at least, and in float64
/// where the intensities reach further than the range: offsets (counts, Hounsfield units) cost no
/// precision. Throws error::ShapeMismatch unless both are images of the same shape, dtype and
/// device for which ssim_is_defined().
Tensor ssim(const Tensor& image, const Tensor& reference, const SsimOptions& options = {});

namespace detail {

inline std::int64_t half_width(const SsimOptions& options) {
  return static_cast<std::int64_t>(std::min(3.5 * options.sigma + 0.5, 1e9));
}

/// Averages under the window, at the pixels where it lies within x (N, 1, spatial...): one axis
/// after the other.
inline Tensor windowed(Tensor x, const Tensor& window) {
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

inline void check_ssim(const SsimOptions& options) {
  check_positive(options.range, "ssim", "range");
  check_positive(options.sigma, "ssim", "sigma");
  check_not_negative(options.k1, "ssim", "k1");
  check_not_negative(options.k2, "ssim", "k2");
}

inline void check_ssim(const Tensor& image, const Tensor& reference, const SsimOptions& options) {
  check_image(image, "ssim: image");
  check_like(reference, image, "ssim: reference");
  if (!ssim_is_defined(image.sizes(), options)) {
    throw error::ShapeMismatch(
        formatted("ssim: image is {}, expected two or three spatial dimensions of more than {} "
                  "pixels, half the window's width (see ssim_is_defined)",
                  describe(image), half_width(options)));
  }
}

/// The intensities of both images: the middle of their range, and how far they reach from it.
struct Intensities {
  double middle = 0;
  double reach = 0;
};
inline Intensities intensities(const Tensor& image, const Tensor& reference) {
  const auto [low_x, high_x] = at::aminmax(image.detach());
  const auto [low_y, high_y] = at::aminmax(reference.detach());
  const double low = at::minimum(low_x, low_y).item<double>();
  const double high = at::maximum(high_x, high_y).item<double>();
  return {low + (high - low) / 2, (high - low) / 2};
}

/// Two spatial dimensions on the host, nothing to differentiate: one pass, many times faster than
/// the tensor operations below. Sums over the pixels of each plane, (B, C); with Beyond::held
/// `image` and `reference` are wider by half the window to each side.
template <typename T>
Tensor ssim_sums_on_host(const Tensor& image, const Tensor& reference, const Tensor& window,
                         const SsimConstants& constants, Beyond beyond) {
  const Tensor x = image.contiguous();
  const Tensor y = reference.contiguous();
  const std::int64_t half = window.numel() / 2;
  const std::int64_t around = beyond == Beyond::held ? 2 * half : 0;
  const std::vector<double> planes = ssim_of_planes<T>(
      x.const_data_ptr<T>(), y.const_data_ptr<T>(), x.size(0) * x.size(1), x.size(2) - around,
      x.size(3) - around, {window.const_data_ptr<T>() + half, static_cast<std::size_t>(half + 1)},
      constants, beyond);
  return at::tensor(planes, at::TensorOptions().dtype(at::kDouble)).view({x.size(0), x.size(1)});
}

inline Tensor ssim_sums_on_host(const Tensor& image, const Tensor& reference, const Tensor& window,
                                const SsimConstants& constants, Beyond beyond) {
  return image.scalar_type() == at::kFloat
             ? ssim_sums_on_host<float>(image, reference, window, constants, beyond)
             : ssim_sums_on_host<double>(image, reference, window, constants, beyond);
}

inline bool runs_on_host(const Tensor& image, const Tensor& reference) {
  const bool differentiates =
      at::GradMode::is_enabled() && (image.requires_grad() || reference.requires_grad());
  return image.device().is_cpu() && image.dim() == 4 && !differentiates &&
         (image.scalar_type() == at::kFloat || image.scalar_type() == at::kDouble);
}

/// The Gaussian window along an axis, float64.
inline Tensor ssim_window(const SsimOptions& options, const Tensor& like) {
  const std::int64_t half = half_width(options);
  const Tensor window =
      at::arange(-half, half + 1, like.options().dtype(at::kDouble).requires_grad(false));
  const Tensor weights = at::exp(-0.5 * (window / options.sigma).square());
  return weights / weights.sum();
}

inline SsimConstants ssim_constants(const SsimOptions& options, const Intensities& values) {
  return {.c1 = options.k1 * options.range * options.k1 * options.range,
          .c2 = options.k2 * options.range * options.k2 * options.range,
          .shift = values.middle};
}

/// What the index is computed in. A variance is a difference of squares, of which float32 has lost
/// some 1e-7 of the largest; that must be little beside the constant c2 that is added to it.
inline at::ScalarType ssim_type(const SsimOptions& options, const Intensities& values,
                                at::ScalarType type) {
  const bool wide = !(values.reach <= 43 * options.k2 * options.range);
  return wide || type == at::kDouble ? at::kDouble : at::kFloat;
}

/// The index at the pixels where the window lies within x and y, (N, 1, spatial...), from which
/// constants.shift has been taken.
inline Tensor ssim_index(const Tensor& x, const Tensor& y, const Tensor& window,
                         const SsimConstants& constants) {
  Tensor mean_x = windowed(x, window);
  Tensor mean_y = windowed(y, window);
  const Tensor variances = (windowed(x.square(), window) - mean_x.square()).clamp_min(0) +
                           (windowed(y.square(), window) - mean_y.square()).clamp_min(0);
  const Tensor covariance = windowed(x * y, window) - mean_x * mean_y;

  mean_x = mean_x + constants.shift;
  mean_y = mean_y + constants.shift;
  return (2 * mean_x * mean_y + constants.c1) * (2 * covariance + constants.c2) /
         ((mean_x.square() + mean_y.square() + constants.c1) * (variances + constants.c2));
}

/// Elements of a slab of rows or planes that the index is computed of at once.
inline constexpr std::int64_t ssim_slab = std::int64_t{1} << 20;

/// Sums of the index over the pixels where the window lies within x and y, (B, C, spatial...): (B,
/// C), float64. By slabs along the first spatial axis, of some `most` elements, so that what is
/// held beside x and y does not grow with them.
inline Tensor ssim_sums(const Tensor& x, const Tensor& y, const Tensor& window,
                        const SsimConstants& constants, std::int64_t most = ssim_slab) {
  const std::int64_t around = window.numel() - 1;
  const std::int64_t rows = x.size(2) - around;
  const std::int64_t step = std::max<std::int64_t>(strip_rows, most / (x.numel() / x.size(2)));
  std::vector<std::int64_t> planes = x.sizes().vec();  // channels are images of their own
  planes[0] *= planes[1];
  planes[1] = 1;
  Tensor sums = at::zeros({planes[0]}, x.options().dtype(at::kDouble).requires_grad(false));
  for (std::int64_t row = 0; row < rows; row += step) {
    planes[2] = std::min(step, rows - row) + around;
    const auto slab = [&](const Tensor& image) {
      return image.narrow(2, row, planes[2]).reshape(planes) - constants.shift;
    };
    const Tensor index = ssim_index(slab(x), slab(y), window, constants);
    sums = sums + index.flatten(1).sum(1, false, at::kDouble);
  }
  return sums.view({x.size(0), x.size(1)});
}

}  // namespace detail

inline bool ssim_is_defined(at::IntArrayRef shape, const SsimOptions& options) {
  detail::check_ssim(options);
  if (shape.size() < 4 || shape.size() > 5) return false;
  const auto spatial = shape.slice(2);
  return *std::min_element(spatial.begin(), spatial.end()) > detail::half_width(options);
}

inline Tensor ssim(const Tensor& image, const Tensor& reference, const SsimOptions& options) {
  detail::check_ssim(options);
  detail::check_ssim(image, reference, options);
  const detail::Intensities values = detail::intensities(image, reference);
  const at::ScalarType type = detail::ssim_type(options, values, image.scalar_type());
  if (image.scalar_type() != type) return ssim(image.to(type), reference.to(type), options);

  const Tensor window = detail::ssim_window(options, image).to(type);
  const detail::SsimConstants constants = detail::ssim_constants(options, values);
  const auto pixels = static_cast<double>(c10::multiply_integers(image.sizes().slice(2)));
  if (detail::runs_on_host(image, reference)) {
    const Tensor sums =
        detail::ssim_sums_on_host(image, reference, window, constants, detail::Beyond::reflected);
    return (sums / pixels).mean(1);
  }
  const std::vector<std::int64_t> pads(2 * static_cast<std::size_t>(spatial_dimensions(image)),
                                       detail::half_width(options));
  const Tensor sums = detail::ssim_sums(at::pad(image, pads, "reflect"),
                                        at::pad(reference, pads, "reflect"), window, constants);
  return (sums / pixels).mean(1);
}

}  // namespace tessera
