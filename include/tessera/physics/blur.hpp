// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/fft_rfftn.h>
#include <ATen/ops/roll.h>

#include <utility>
#include <vector>

#include "tessera/core/error.hpp"
#include "tessera/core/text.hpp"
#include "tessera/physics/detail/convolution.hpp"
#include "tessera/physics/detail/extension.hpp"
#include "tessera/physics/linear_operator.hpp"
#include "tessera/physics/padding.hpp"
#include "tessera/physics/spectrum_cache.hpp"

namespace tessera {

/// How a convolution is computed. The results agree to rounding.
enum class ConvolutionMethod {
  automatic,  ///< whichever is likely faster for the kernel and the image
  fourier,    ///< by FFT
  direct,     ///< by the sum over the kernel
};

struct BlurOptions {
  Padding padding = Padding::circular;
  ConvolutionMethod method = ConvolutionMethod::automatic;
};

/// True convolution with a fixed kernel in 1, 2 or 3 dimensions:
/// y[n] = sum_k h[k] x[n - (k - c)], centre c = floor(size / 2) for odd and even sizes alike.
///
/// The adjoint is the exact transpose for every padding. Images have any floating dtype and device;
/// the kernel follows them (half precisions are transformed in float32). Spectra are computed once
/// per image size, dtype and device and kept as long as the Blur, behind a lock: one Blur may serve
/// several threads. Differentiable in the image, and in the kernel if that requires gradients
/// (nothing is kept then).
///
/// With circular padding A^T A is a circular convolution too: has_exact_inverse(x) is true. A
/// kernel larger than the image wraps around for circular padding; for valid, and for reflect from
/// twice the image on, it is error::ShapeMismatch.
class Blur : public LinearOperator {
 public:
  /// `kernel`: (1 or B, 1 or C, h, w), likewise for one or three spatial dimensions: one kernel for
  /// all images and channels, or one for each.
  explicit Blur(Tensor kernel, BlurOptions options = {});
  Blur(Tensor kernel, Padding padding) : Blur(std::move(kernel), BlurOptions{padding, {}}) {}

  std::string name() const override { return "blur"; }
  const Tensor& kernel() const { return kernel_; }
  const BlurOptions& options() const { return options_; }
  inline Tensor transfer_function(const Tensor& x) const override;

 private:
  struct Plan;  // what is to be done for images of one size

  inline Tensor do_apply(const Tensor& x) const override;
  inline Tensor do_apply_adjoint(const Tensor& v) const override;
  inline NormalFilter do_normal_filter(const Tensor& x) const override;

  Plan plan(const Tensor& image, const Extents& extents, ConvolutionMethod method,
            const char* function) const;
  /// Spectrum of the plan's kernel, in the precision that images like this one are transformed in.
  Tensor spectrum(const Tensor& image, const Plan& plan) const;

  Tensor kernel_;
  BlurOptions options_;
  mutable SpectrumCache<> spectra_;  // by the spec of the transform
};

/// Circular convolution by FFT is one product of spectra. Everything else extends the image to what
/// its outermost results see, then takes the valid part of the convolution.
struct Blur::Plan {
  bool circular = false;  // by FFT over the image itself
  bool fourier = false;
  Tensor kernel;
  Extents before, after;  // how far the image is extended
  Extents result;         // extents of A x
  Extents transform;      // extents of the FFT
  Extents shift;          // by how much the kernel is moved towards the origin before its transform
};

namespace detail {

inline Extents spatial(const Tensor& tensor) {
  return {tensor.sizes().begin() + 2, tensor.sizes().end()};
}

/// Adds up what falls on the same pixel when the kernel is laid around a circular image.
inline Tensor wrap_around(Tensor kernel, const Extents& extents) {
  for (std::size_t d = 0; d < extents.size(); ++d) {
    const auto axis = static_cast<std::int64_t>(d) + 2;
    const std::int64_t size = kernel.size(axis);
    if (size <= extents[d]) continue;
    const std::int64_t turns = (size + extents[d] - 1) / extents[d];
    Extents amounts(2 * (extents.size() - d),
                    0);  // last dimension first: the last entry is this one's end
    amounts.back() = turns * extents[d] - size;
    kernel = at::constant_pad_nd(kernel, amounts).unflatten(axis, {turns, extents[d]}).sum(axis);
  }
  return kernel;
}

/// On a CPU the FFT of a 256 x 256 image costs about as much as the sum over 3 x 3 elements, that
/// of larger images less (measured, one thread).
inline constexpr std::int64_t largest_direct_kernel = 9;

}  // namespace detail

inline Blur::Blur(Tensor kernel, BlurOptions options)
    : kernel_(std::move(kernel)), options_(options) {
  const bool ok = kernel_.defined() && kernel_.is_floating_point() && kernel_.dim() >= 3 &&
                  kernel_.dim() <= 5 && kernel_.numel() > 0;
  if (!ok) {
    throw error::ShapeMismatch(
        formatted("blur: the kernel is {}, expected a floating (1 or B, 1 or C, h, w), (.., .., "
                  "n) or (.., .., d, h, w)",
                  describe(kernel_)));
  }
  to_string(options_.padding);  // throws unless it is one of the enumerators
}

inline Blur::Plan Blur::plan(const Tensor& image, const Extents& extents, ConvolutionMethod method,
                             const char* function) const {
  const auto fits = [&](std::int64_t d) {
    return kernel_.size(d) == 1 || kernel_.size(d) == image.size(d);
  };
  if (image.dim() != kernel_.dim() || !fits(0) || !fits(1)) {
    throw error::ShapeMismatch(formatted("blur.{} is {}, which the kernel {} does not fit",
                                         function, describe(image), to_string(kernel_.sizes())));
  }
  const Padding padding = options_.padding;
  Plan plan;
  plan.kernel = padding == Padding::circular ? detail::wrap_around(kernel_, extents) : kernel_;
  const Extents size = detail::spatial(plan.kernel);
  plan.fourier = method == ConvolutionMethod::fourier ||
                 (method == ConvolutionMethod::automatic &&
                  plan.kernel[0][0].numel() > detail::largest_direct_kernel);
  plan.circular = plan.fourier && padding == Padding::circular;

  for (std::size_t d = 0; d < extents.size(); ++d) {
    std::int64_t centre = kernel_.size(static_cast<std::int64_t>(d) + 2) / 2;
    if (padding == Padding::circular) centre %= extents[d];
    const bool extended = !plan.circular && padding != Padding::valid;
    plan.before.push_back(extended ? size[d] - 1 - centre : 0);
    plan.after.push_back(extended ? centre : 0);
    const std::int64_t total = extents[d] + plan.before[d] + plan.after[d];
    plan.result.push_back(plan.circular ? extents[d] : total - size[d] + 1);
    plan.transform.push_back(plan.circular ? extents[d] : fast_fourier_length(total));
    plan.shift.push_back(plan.circular ? centre : size[d] - 1);

    const bool too_large = padding == Padding::valid     ? size[d] > extents[d]
                           : padding == Padding::reflect ? centre >= extents[d]
                                                         : false;
    if (too_large) {
      throw error::ShapeMismatch(
          formatted("blur.{} is {}, too small for the kernel {} with padding {}", function,
                    describe(image), to_string(kernel_.sizes()), to_string(padding)));
    }
  }
  return plan;
}

inline Tensor Blur::spectrum(const Tensor& image, const Plan& plan) const {
  const at::ScalarType precision =
      image.scalar_type() == at::kDouble ? at::kComplexDouble : at::kComplexFloat;
  const auto compute = [&] {
    Extents back;
    Extents amounts;
    for (std::size_t d = 0; d < plan.shift.size(); ++d) {
      const std::size_t last = plan.shift.size() - 1 - d;
      back.push_back(-plan.shift[d]);
      amounts.push_back(0);
      amounts.push_back(plan.transform[last] -
                        plan.kernel.size(static_cast<std::int64_t>(last) + 2));
    }
    const Extents axes = spatial_axes(plan.shift.size());
    const Tensor kernel = plan.kernel.to(image.options().dtype(at::kDouble));
    return at::fft_rfftn(at::roll(at::constant_pad_nd(kernel, amounts), back, axes), plan.transform,
                         axes)
        .to(precision);
  };
  if (kernel_.requires_grad()) return compute();

  return spectra_.get({plan.transform, precision, image.device()}, compute);
}

inline Tensor Blur::do_apply(const Tensor& x) const {
  const Plan plan = this->plan(x, detail::spatial(x), options_.method, "forward: x");
  const Tensor extended = plan.circular ? x : extend(x, options_.padding, plan.before, plan.after);
  if (!plan.fourier) return convolve_direct(extended, plan.kernel, false);
  return first_pixels(convolve_fourier(extended, spectrum(x, plan), plan.transform, false),
                      plan.result)
      .contiguous();
}

inline Tensor Blur::do_apply_adjoint(const Tensor& v) const {
  if (v.dim() != kernel_.dim()) {
    throw error::ShapeMismatch(formatted("blur.adjoint: v is {}, which the kernel {} does not fit",
                                         describe(v), to_string(kernel_.sizes())));
  }
  Extents extents = detail::spatial(v);
  if (options_.padding == Padding::valid) {
    for (std::size_t d = 0; d < extents.size(); ++d) {
      extents[d] += kernel_.size(static_cast<std::int64_t>(d) + 2) - 1;
    }
  }
  const Plan plan = this->plan(v, extents, options_.method, "adjoint: v");
  if (!plan.fourier) {
    return extend_adjoint(convolve_direct(v, plan.kernel, true), options_.padding, plan.before,
                          plan.after)
        .contiguous();
  }
  Extents total = extents;
  for (std::size_t d = 0; d < total.size(); ++d) total[d] += plan.before[d] + plan.after[d];
  const Tensor full =
      first_pixels(convolve_fourier(v, spectrum(v, plan), plan.transform, true), total);
  return extend_adjoint(full, options_.padding, plan.before, plan.after).contiguous();
}

inline NormalFilter Blur::do_normal_filter(const Tensor& x) const {
  if (options_.padding != Padding::circular || kernel_.requires_grad()) return {};
  const Plan plan =
      this->plan(x, detail::spatial(x), ConvolutionMethod::fourier, "normal_filter: x");
  return NormalFilter::on_extents_of(x, squared_magnitude(spectrum(x, plan)));
}

inline Tensor Blur::transfer_function(const Tensor& x) const {
  const bool fits = x.dim() == kernel_.dim();  // where it does not, forward and adjoint say so
  if (!fits || options_.padding != Padding::circular || kernel_.requires_grad()) return {};
  const Plan plan = this->plan(x, detail::spatial(x), options_.method, "transfer_function: x");
  return plan.fourier ? spectrum(x, plan) : Tensor{};
}

}  // namespace tessera
