#pragma once

#include <vector>

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

/// The valid part of the convolution of `image` with `kernel`, or its transpose, from the
/// definition.
Tensor convolve_direct(const Tensor& image, const Tensor& kernel, bool transposed);

}  // namespace tessera
