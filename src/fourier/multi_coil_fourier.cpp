// SPDX-License-Identifier: BSD-3-Clause
#include "tessera/fourier/multi_coil_fourier.hpp"

#include <ATen/ExpandUtils.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/fft_fftn.h>
#include <ATen/ops/fft_ifftn.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/polar.h>
#include <ATen/ops/real.h>

#include <algorithm>
#include <numbers>

#include "fourier/checks.hpp"
#include "tessera/core/check.hpp"
#include "tessera/core/complex_channels.hpp"
#include "tessera/core/error.hpp"

namespace tessera {

namespace {

void check_mask(const Tensor& mask, const Tensor& coils) {
  const bool ok = mask.defined() && mask.dim() >= 1 && mask.numel() > 0 &&
                  (mask.is_floating_point() || mask.scalar_type() == at::kBool);
  if (!ok) {
    throw error::ShapeMismatch(
        formatted("multi_coil_fourier: the mask is {}, expected boolean or floating, with the "
                  "spatial extents of the images",
                  describe(mask)));
  }
  if (mask.is_floating_point()) check_finite(mask, "multi_coil_fourier", "the mask");
  const std::int64_t spatial = coils.dim() - 2;
  bool fits = mask.dim() <= spatial;
  for (std::int64_t d = 1; fits && d <= mask.dim(); ++d) {
    fits = mask.size(-d) == coils.size(-d) || mask.size(-d) == 1 || coils.size(-d) == 1;
  }
  if (!fits) {
    throw error::ShapeMismatch(
        formatted("multi_coil_fourier: the mask is {}, which the spatial extents of the coil maps "
                  "{} do not fit",
                  describe(mask), to_string(coils.sizes())));
  }
}

/// exp(2 pi i turns / n), each from a whole number of n-ths of a turn.
Tensor phases(const Tensor& turns, std::int64_t n) {
  const Tensor angle =
      turns.remainder(n).to(at::kDouble) * (2 * std::numbers::pi / static_cast<double>(n));
  return at::polar(at::ones_like(angle), angle);
}

}  // namespace

// With c = N / 2 rounded down, (k - c)(n - c) = k n - c n - c (k - c): the centred transform is the
// plain one between factors exp(2 pi i c n / N) in image space and exp(2 pi i c (k - c) / N) in
// Fourier space. For an even N both are signs.
MultiCoilFourier::MultiCoilFourier(const Tensor& coils, const Tensor& mask,
                                   MultiCoilFourierOptions options)
    : options_(options) {
  fourier::checked_maps(coils, "multi_coil_fourier");
  check_mask(mask, coils);
  const std::int64_t spatial = coils.dim() - 2;
  if (options_.transformed_axes < 0 || options_.transformed_axes > spatial) {
    throw error::InvalidArgument(
        formatted("multi_coil_fourier: transformed_axes is {}, expected 0 (all) to {} for the coil "
                  "maps {}",
                  options_.transformed_axes, spatial, describe(coils)));
  }
  extents_ = at::infer_size(coils.sizes().slice(2), mask.sizes());

  const Tensor power = at::real(coils.detach() * coils.detach().conj()).sum(1);
  const Tensor squares = mask.detach().to(at::kDouble).square();
  bound_ = squares.max().item<double>() * power.max().item<double>();
  is_masked_ = !squares.eq(squares.max()).all().item<bool>();

  const at::ScalarType real_type = c10::toRealValueType(coils.scalar_type());
  Tensor image_phase = coils.detach().to(at::kComplexDouble);
  Tensor fourier_phase = mask.detach().to(coils.device(), at::kComplexDouble);
  bool only_signs = true;
  const Extents transformed = axes();
  for (std::size_t i = 0; options_.centred && i < transformed.size(); ++i) {
    const std::int64_t n = extents_[static_cast<std::size_t>(transformed[i] - 2)];
    const std::int64_t centre = n / 2;
    only_signs = only_signs && n % 2 == 0;
    Extents along(transformed.size() - i, 1);
    along.front() = n;
    const Tensor index = at::arange(n, at::TensorOptions().dtype(at::kLong).device(coils.device()));
    image_phase = image_phase * phases(centre * index, n).view(along);
    fourier_phase = fourier_phase * phases(centre * (index - centre), n).view(along);
  }
  coils_ = ConvertedTensor(image_phase.to(coils.scalar_type()));
  mask_ = ConvertedTensor(only_signs ? at::real(fourier_phase).to(real_type).contiguous()
                                     : fourier_phase.to(coils.scalar_type()));
}

Extents MultiCoilFourier::axes() const {
  Extents all = spatial_axes(extents_.size());
  if (options_.transformed_axes > 0) all.erase(all.begin(), all.end() - options_.transformed_axes);
  return all;
}

Tensor MultiCoilFourier::maps_for(const Tensor& z) const {
  return coils_.as(z.device(), c10::toComplexType(z.scalar_type()));
}

Tensor MultiCoilFourier::mask_for(const Tensor& z) const {
  return mask_.as(z.device(), mask_.original().is_complex()
                                  ? c10::toComplexType(z.scalar_type())
                                  : c10::toRealValueType(z.scalar_type()));
}

void MultiCoilFourier::check_extents(const Tensor& tensor, bool ok, const char* what,
                                     const std::string& expected) const {
  ok = ok && tensor.dim() == static_cast<std::int64_t>(extents_.size()) + 2 &&
       tensor.sizes().slice(2) == at::IntArrayRef(extents_) &&
       (coils_.original().size(0) == 1 || tensor.size(0) == coils_.original().size(0));
  if (ok) return;
  const std::string batch =
      coils_.original().size(0) == 1
          ? std::string()
          : formatted(", a batch of {} as the maps", coils_.original().size(0));
  throw error::ShapeMismatch(formatted("multi_coil_fourier.{} is {}, expected {} of extents {}{}",
                                       what, describe(tensor), expected, to_string(extents_),
                                       batch));
}

Tensor MultiCoilFourier::do_apply(const Tensor& x) const {
  const bool is_precise = x.scalar_type() == at::kFloat || x.scalar_type() == at::kDouble;
  const bool pairs = options_.complex_pairs;
  check_extents(x, is_precise && x.size(1) == (pairs ? 2 : 1), "forward: x",
                pairs ? "a float32 or float64 image with channels re and im"
                      : "a float32 or float64 image with one channel");
  const Tensor image = pairs ? to_complex(x) : x;
  return at::fft_fftn(image * maps_for(x), {}, axes(), "ortho").mul_(mask_for(x));
}

Tensor MultiCoilFourier::do_apply_adjoint(const Tensor& v) const {
  check_extents(v, fourier::is_complex_type(v) && v.size(1) == coils(), "adjoint: v",
                formatted("complex64 or complex128 coefficients of {} coils", coils()));
  const Tensor images = at::fft_ifftn(v * mask_for(v).conj(), {}, axes(), "ortho");
  const Tensor sum = images.mul_(maps_for(v).conj()).sum(1, /*keepdim=*/true);
  return options_.complex_pairs ? from_complex(sum) : at::real(sum).contiguous();
}

std::optional<double> MultiCoilFourier::do_norm_squared(const Tensor& /*x*/) const {
  if (is_masked_) return std::nullopt;
  return bound_;
}

}  // namespace tessera
