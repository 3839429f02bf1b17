// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/ops/fft_fftn.h>
#include <ATen/ops/fft_ifftn.h>
#include <ATen/ops/real.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tessera/core/check.hpp"
#include "tessera/core/complex_channels.hpp"
#include "tessera/core/error.hpp"
#include "tessera/core/text.hpp"
#include "tessera/physics/detail/convolution.hpp"
#include "tessera/physics/linear_operator.hpp"
#include "tessera/physics/spectrum_cache.hpp"

namespace tessera {

struct FourierSamplingOptions {
  /// Images are complex: (B, 2 C, spatial...) with channels re, im, re, im, ... Real otherwise.
  bool complex_pairs = false;
};

/// y = m F x: the Fourier coefficients of an image that were measured, as in magnetic resonance
/// imaging with one coil and interferometry on a grid. F is the orthonormal discrete Fourier
/// transform, sum_n x_n exp(-2 pi i k n / N) / sqrt(N), with the frequency 0 at index 0 (move a
/// mask drawn around its centre by at::fft_ifftshift). Measurements are complex, (B, C,
/// spatial...), zero where the mask is; noise there is not seen by the adjoint.
///
/// The adjoint is that of Re <A x, v> on images as real tensors. For real images A^T A is a
/// circular convolution, by (m(k)^2 + m(-k)^2) / 2; so it is for complex ones where m(k)^2 =
/// m(-k)^2. Gradients, norms and proximal operators then are exact in Fourier space, as for a
/// circular Blur.
class FourierSampling : public LinearOperator {
 public:
  /// `mask`: boolean or floating, of the images' spatial extents, 1 to 3 of them. Images are
  /// float32 or float64.
  explicit FourierSampling(Tensor mask, FourierSamplingOptions options = {});

  std::string name() const override { return "fourier_sampling"; }
  const Tensor& mask() const { return mask_.original(); }
  const FourierSamplingOptions& options() const { return options_; }

 private:
  inline Tensor do_apply(const Tensor& x) const override;
  inline Tensor do_apply_adjoint(const Tensor& v) const override;
  inline NormalFilter do_normal_filter(const Tensor& x) const override;
  /// The largest square in the mask: asked for where the filter is not known.
  inline std::optional<double> do_norm_squared(const Tensor& x) const override;

  Extents axes() const { return spatial_axes(static_cast<std::size_t>(mask().dim())); }
  void check_extents(const Tensor& tensor, bool ok, const char* what, const char* expected) const;
  /// mask * spectrum.
  Tensor masked(const Tensor& spectrum) const {
    return spectrum * mask_.as(spectrum.device(), c10::toRealValueType(spectrum.scalar_type()));
  }

  ConvertedTensor mask_;
  FourierSamplingOptions options_;
};

inline FourierSampling::FourierSampling(Tensor mask, FourierSamplingOptions options)
    : options_(options) {
  const bool ok = mask.defined() && mask.dim() >= 1 && mask.dim() <= 3 && mask.numel() > 0 &&
                  (mask.is_floating_point() || mask.scalar_type() == at::kBool);
  if (!ok) {
    throw error::ShapeMismatch(
        formatted("fourier_sampling: the mask is {}, expected boolean or floating with 1 to 3 "
                  "spatial extents",
                  describe(mask)));
  }
  if (mask.is_floating_point()) check_finite(mask, "fourier_sampling", "the mask");
  mask_ = ConvertedTensor(std::move(mask));
}

inline void FourierSampling::check_extents(const Tensor& tensor, bool ok, const char* what,
                                           const char* expected) const {
  if (ok && tensor.dim() == mask().dim() + 2 && tensor.sizes().slice(2) == mask().sizes()) return;
  throw error::ShapeMismatch(formatted("fourier_sampling.{} is {}, expected {} of extents {}", what,
                                       describe(tensor), expected, to_string(mask().sizes())));
}

inline Tensor FourierSampling::do_apply(const Tensor& x) const {
  const bool is_precise = x.scalar_type() == at::kFloat || x.scalar_type() == at::kDouble;
  if (!options_.complex_pairs) {
    check_extents(x, is_precise, "forward: x", "a float32 or float64 image");
    return masked(at::fft_fftn(x, {}, axes(), "ortho"));
  }
  check_extents(x, is_precise && x.size(1) % 2 == 0, "forward: x",
                "a float32 or float64 image with pairs of channels, re and im,");
  return masked(at::fft_fftn(to_complex(x), {}, axes(), "ortho"));
}

inline Tensor FourierSampling::do_apply_adjoint(const Tensor& v) const {
  check_extents(v, v.scalar_type() == at::kComplexFloat || v.scalar_type() == at::kComplexDouble,
                "adjoint: v", "complex64 or complex128 coefficients");
  const Tensor image = at::fft_ifftn(masked(v), {}, axes(), "ortho");
  return options_.complex_pairs ? from_complex(image) : at::real(image).contiguous();
}

inline NormalFilter FourierSampling::do_normal_filter(const Tensor& x) const {
  if (x.sizes().slice(2) != mask().sizes()) return {};  // forward says so
  const bool is_double = x.scalar_type() == at::kDouble;
  const Tensor density = mask().to(at::kDouble).square();
  Extents all;
  for (std::int64_t d = 0; d < mask().dim(); ++d) all.push_back(d);
  const Tensor opposite = density.flip(all).roll(Extents(all.size(), 1), all);  // at -k
  if (options_.complex_pairs && !density.equal(opposite)) return {};
  const Tensor half = (0.5 * (density + opposite)).narrow(-1, 0, mask().size(-1) / 2 + 1);
  return NormalFilter::on_extents_of(
      x, half.to(x.device(), is_double ? at::kDouble : at::kFloat).unsqueeze(0).unsqueeze(0));
}

inline std::optional<double> FourierSampling::do_norm_squared(const Tensor& /*x*/) const {
  return mask().to(at::kDouble).square().max().item<double>();
}

}  // namespace tessera
