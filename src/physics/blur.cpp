#include "tessera/physics/blur.hpp"

#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/fft_rfftn.h>
#include <ATen/ops/imag.h>
#include <ATen/ops/real.h>
#include <ATen/ops/roll.h>
#include <fmt/format.h>

#include "convolution.hpp"
#include "extension.hpp"
#include "tessera/core/error.hpp"

namespace tessera {

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

namespace {

using Extents = std::vector<std::int64_t>;

Extents spatial(const Tensor& tensor) {
  return {tensor.sizes().begin() + 2, tensor.sizes().end()};
}

Tensor first(Tensor image, const Extents& extents) {
  for (std::size_t d = 0; d < extents.size(); ++d) {
    image = image.narrow(static_cast<std::int64_t>(d) + 2, 0, extents[d]);
  }
  return image;
}

/// Adds up what falls on the same pixel when the kernel is laid around a circular image.
Tensor wrap_around(Tensor kernel, const Extents& extents) {
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
constexpr std::int64_t largest_direct_kernel = 9;

}  // namespace

Blur::Blur(Tensor kernel, BlurOptions options) : kernel_(std::move(kernel)), options_(options) {
  const bool ok = kernel_.defined() && kernel_.is_floating_point() && kernel_.dim() >= 3 &&
                  kernel_.dim() <= 5 && kernel_.numel() > 0;
  if (!ok) {
    throw error::ShapeMismatch(
        fmt::format("blur: the kernel is {}, expected a floating (1 or B, 1 or C, h, w), (.., .., "
                    "n) or (.., .., d, h, w)",
                    describe(kernel_)));
  }
  to_string(options_.padding);  // throws unless it is one of the enumerators
}

Blur::Plan Blur::plan(const Tensor& image, const Extents& extents, ConvolutionMethod method,
                      const char* function) const {
  const auto fits = [&](std::int64_t d) {
    return kernel_.size(d) == 1 || kernel_.size(d) == image.size(d);
  };
  if (image.dim() != kernel_.dim() || !fits(0) || !fits(1)) {
    throw error::ShapeMismatch(fmt::format("blur.{} is {}, which the kernel {} does not fit",
                                           function, describe(image), to_string(kernel_.sizes())));
  }
  const Padding padding = options_.padding;
  Plan plan;
  plan.kernel = padding == Padding::circular ? wrap_around(kernel_, extents) : kernel_;
  const Extents size = spatial(plan.kernel);
  plan.fourier =
      method == ConvolutionMethod::fourier ||
      (method == ConvolutionMethod::automatic && plan.kernel[0][0].numel() > largest_direct_kernel);
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
          fmt::format("blur.{} is {}, too small for the kernel {} with padding {}", function,
                      describe(image), to_string(kernel_.sizes()), to_string(padding)));
    }
  }
  return plan;
}

Tensor Blur::spectrum(const Tensor& image, const Plan& plan) const {
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

  const std::string key = fmt::format("{} {} {}", to_string(plan.transform),
                                      c10::toString(precision), image.device().str());
  return spectra_.get(key, compute);
}

Tensor Blur::do_apply(const Tensor& x) const {
  const Plan plan = this->plan(x, spatial(x), options_.method, "forward: x");
  const Tensor extended = plan.circular ? x : extend(x, options_.padding, plan.before, plan.after);
  if (!plan.fourier) return convolve_direct(extended, plan.kernel, false);
  return first(convolve_fourier(extended, spectrum(x, plan), plan.transform, false), plan.result)
      .contiguous();
}

Tensor Blur::do_apply_adjoint(const Tensor& v) const {
  if (v.dim() != kernel_.dim()) {
    throw error::ShapeMismatch(
        fmt::format("blur.adjoint: v is {}, which the kernel {} does not fit", describe(v),
                    to_string(kernel_.sizes())));
  }
  Extents extents = spatial(v);
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
  const Tensor full = first(convolve_fourier(v, spectrum(v, plan), plan.transform, true), total);
  return extend_adjoint(full, options_.padding, plan.before, plan.after).contiguous();
}

Tensor Blur::do_normal_spectrum(const Tensor& x) const {
  if (options_.padding != Padding::circular || kernel_.requires_grad()) return {};
  const Plan plan = this->plan(x, spatial(x), ConvolutionMethod::fourier, "normal_spectrum: x");
  const Tensor transfer = spectrum(x, plan);
  return at::real(transfer).square() + at::imag(transfer).square();
}

Tensor Blur::transfer_function(const Tensor& x) const {
  const bool fits = x.dim() == kernel_.dim();  // where it does not, forward and adjoint say so
  if (!fits || options_.padding != Padding::circular || kernel_.requires_grad()) return {};
  const Plan plan = this->plan(x, spatial(x), options_.method, "transfer_function: x");
  return plan.fourier ? spectrum(x, plan) : Tensor{};
}

}  // namespace tessera
