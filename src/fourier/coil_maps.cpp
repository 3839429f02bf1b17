// SPDX-License-Identifier: BSD-3-Clause
#include "tessera/fourier/coil_maps.hpp"

#include <ATen/ops/arange.h>
#include <ATen/ops/cos.h>
#include <ATen/ops/fft_fftshift.h>
#include <ATen/ops/fft_ifftn.h>
#include <ATen/ops/fft_ifftshift.h>
#include <ATen/ops/real.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros_like.h>

#include <numbers>

#include "tessera/core/check.hpp"
#include "tessera/core/error.hpp"

namespace tessera {

Tensor estimate_coil_maps(const Tensor& kspace, const Extents& centre) {
  const bool ok =
      kspace.defined() && kspace.dim() >= 3 && kspace.dim() <= 5 && kspace.numel() > 0 &&
      (kspace.scalar_type() == at::kComplexFloat || kspace.scalar_type() == at::kComplexDouble);
  if (!ok) {
    throw error::ShapeMismatch(formatted(
        "estimate_coil_maps: kspace is {}, expected complex64 or complex128 (B, coils, spatial...)",
        describe(kspace)));
  }
  const auto count = static_cast<std::int64_t>(centre.size());
  bool fits = count >= 1 && count <= kspace.dim() - 2;
  for (std::int64_t i = 0; fits && i < count; ++i) {
    const std::int64_t extent = centre[static_cast<std::size_t>(i)];
    fits = extent >= 1 && extent <= kspace.size(i - count);
  }
  if (!fits) {
    throw error::InvalidArgument(
        formatted("estimate_coil_maps: the centre is {}, expected 1 to {} extents that fit into "
                  "kspace {}",
                  to_string(centre), kspace.dim() - 2, to_string(kspace.sizes())));
  }
  check_finite(kspace, "estimate_coil_maps", "kspace");

  Tensor low = kspace;
  Extents axes;
  for (std::int64_t axis = -count; axis < 0; ++axis) {
    axes.push_back(axis);
    const std::int64_t n = kspace.size(axis);
    const std::int64_t extent = centre[static_cast<std::size_t>(axis + count)];
    const std::int64_t dc = n / 2;
    const std::int64_t before = extent / 2;
    const Tensor from_dc = at::arange(n, at::kDouble) - static_cast<double>(dc);
    const Tensor inside = from_dc.ge(-static_cast<double>(before))
                              .logical_and(from_dc.lt(static_cast<double>(extent - before)));
    const Tensor hann =
        at::cos(from_dc * (std::numbers::pi / static_cast<double>(extent + 1))).square() * inside;
    Extents along(static_cast<std::size_t>(-axis), 1);
    along.front() = n;
    low = low * hann.to(kspace.device(), c10::toRealValueType(kspace.scalar_type())).view(along);
  }
  const Tensor images =
      at::fft_fftshift(at::fft_ifftn(at::fft_ifftshift(low, axes), {}, axes, "ortho"), axes);
  const Tensor sum = at::real(images * images.conj()).sum(1, /*keepdim=*/true).sqrt();
  return at::where(sum > 0, images / sum, at::zeros_like(images));
}

}  // namespace tessera
