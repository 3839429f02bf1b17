// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/ops/convolution.h>
#include <ATen/ops/fft_fftn.h>
#include <ATen/ops/fft_ifftn.h>
#include <ATen/ops/fft_irfftn.h>
#include <ATen/ops/fft_rfftn.h>
#include <ATen/ops/imag.h>
#include <ATen/ops/real.h>

#include <numeric>
#include <vector>

#include "tessera/core/complex_channels.hpp"
#include "tessera/core/tensor.hpp"

namespace tessera {

/// The smallest even length >= `length` whose prime factors are 2, 3, 5 and 7: fast in every FFT
/// library.
std::int64_t fast_fourier_length(std::int64_t length);

/// The spatial dimensions 2, 3, ... of an image with that many.
std::vector<std::int64_t> spatial_axes(std::size_t count);

/// Real Fourier transform over the spatial dimensions of the image, filled up with zeros to
/// `transform` extents, in float32 at least.
Tensor to_fourier(const Tensor& image, const std::vector<std::int64_t>& transform);
/// The way back, to `transform` extents.
Tensor from_fourier(const Tensor& transformed, const std::vector<std::int64_t>& transform,
                    at::ScalarType type);

/// F^-1[spectrum * F[image]], the image filled up with zeros to `transform` extents, by the
/// conjugate of the spectrum (real or complex, of the image's precision) if `transposed`.
/// Result: `transform` extents, the image's dtype.
Tensor convolve_fourier(const Tensor& image, const Tensor& spectrum,
                        const std::vector<std::int64_t>& transform, bool transposed);

/// The same of a complex image, pairs of channels re and im, by a real spectrum of all frequencies.
Tensor convolve_pairs(const Tensor& image, const Tensor& spectrum,
                      const std::vector<std::int64_t>& transform);

/// |H|^2 of a complex spectrum H.
Tensor squared_magnitude(const Tensor& spectrum);

/// The part of an image at its origin that has these spatial extents. A view.
Tensor first_pixels(const Tensor& image, const std::vector<std::int64_t>& extents);

/// The valid part of the convolution of `image` with `kernel`, or its transpose, from the
/// definition.
Tensor convolve_direct(const Tensor& image, const Tensor& kernel, bool transposed);

inline std::int64_t fast_fourier_length(std::int64_t length) {
  const auto is_fast = [](std::int64_t n) {
    for (const std::int64_t prime : {2, 3, 5, 7}) {
      while (n % prime == 0) n /= prime;
    }
    return n == 1;
  };
  std::int64_t candidate = length + length % 2;
  while (!is_fast(candidate)) candidate += 2;
  return candidate;
}

inline std::vector<std::int64_t> spatial_axes(std::size_t count) {
  std::vector<std::int64_t> axes(count);
  std::iota(axes.begin(), axes.end(), 2);
  return axes;
}

inline Tensor to_fourier(const Tensor& image, const std::vector<std::int64_t>& transform) {
  const at::ScalarType precision = image.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  return at::fft_rfftn(image.to(precision), transform, spatial_axes(transform.size()));
}

inline Tensor from_fourier(const Tensor& transformed, const std::vector<std::int64_t>& transform,
                           at::ScalarType type) {
  return at::fft_irfftn(transformed, transform, spatial_axes(transform.size())).to(type);
}

inline Tensor convolve_fourier(const Tensor& image, const Tensor& spectrum,
                               const std::vector<std::int64_t>& transform, bool transposed) {
  Tensor product = to_fourier(image, transform);
  const Tensor factor = transposed ? spectrum.conj() : spectrum;
  if (spectrum.requires_grad()) {
    product = product * factor;
  } else {
    product.mul_(factor);
  }
  return from_fourier(product, transform, image.scalar_type());
}

inline Tensor convolve_pairs(const Tensor& image, const Tensor& spectrum,
                             const std::vector<std::int64_t>& transform) {
  const at::ScalarType precision = image.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  const std::vector<std::int64_t> axes = spatial_axes(transform.size());
  Tensor product = at::fft_fftn(to_complex(image.to(precision)), transform, axes);
  product.mul_(spectrum);
  return from_complex(at::fft_ifftn(product, {}, axes)).to(image.scalar_type());
}

inline Tensor squared_magnitude(const Tensor& spectrum) {
  return at::real(spectrum).square() + at::imag(spectrum).square();
}

inline Tensor first_pixels(const Tensor& image, const std::vector<std::int64_t>& extents) {
  Tensor part = image;
  for (std::size_t d = 0; d < extents.size(); ++d) {
    part = part.narrow(static_cast<std::int64_t>(d) + 2, 0, extents[d]);
  }
  return part;
}

inline Tensor convolve_direct(const Tensor& image, const Tensor& kernel, bool transposed) {
  const std::vector<std::int64_t> axes =
      spatial_axes(static_cast<std::size_t>(spatial_dimensions(image)));
  const std::vector<std::int64_t> ones(axes.size(), 1);
  const std::vector<std::int64_t> zeros(axes.size(), 0);
  const std::int64_t planes = image.size(0) * image.size(1);

  // One kernel for all: images and channels are the batch. Otherwise they are groups of one channel
  // each.
  const bool shared = kernel.size(0) == 1 && kernel.size(1) == 1;
  std::vector<std::int64_t> shape = {shared ? planes : 1, shared ? 1 : planes};
  shape.insert(shape.end(), image.sizes().begin() + 2, image.sizes().end());
  std::vector<std::int64_t> all = {image.size(0), image.size(1)};
  all.insert(all.end(), kernel.sizes().begin() + 2, kernel.sizes().end());
  Tensor weight = kernel.to(image.options()).flip(axes);
  if (!shared) weight = weight.expand(all).flatten(0, 1).unsqueeze(1);

  const Tensor result = at::convolution(image.reshape(shape), weight, {}, ones, zeros, ones,
                                        transposed, zeros, shared ? 1 : planes);
  std::vector<std::int64_t> result_shape = {image.size(0), image.size(1)};
  result_shape.insert(result_shape.end(), result.sizes().begin() + 2, result.sizes().end());
  return result.reshape(result_shape);
}

}  // namespace tessera
