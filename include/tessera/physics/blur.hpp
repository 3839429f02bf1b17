#pragma once

#include <utility>
#include <vector>

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
/// With circular padding A^T A is a circular convolution too: has_normal_spectrum(x) is true. A
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
  Tensor transfer_function(const Tensor& x) const override;

 private:
  using Extents = std::vector<std::int64_t>;
  struct Plan;  // what is to be done for images of one size

  Tensor do_apply(const Tensor& x) const override;
  Tensor do_apply_adjoint(const Tensor& v) const override;
  Tensor do_normal_spectrum(const Tensor& x) const override;

  Plan plan(const Tensor& image, const Extents& extents, ConvolutionMethod method,
            const char* function) const;
  /// Spectrum of the plan's kernel, in the precision that images like this one are transformed in.
  Tensor spectrum(const Tensor& image, const Plan& plan) const;

  Tensor kernel_;
  BlurOptions options_;
  mutable SpectrumCache spectra_;  // by transform size, dtype and device
};

}  // namespace tessera
