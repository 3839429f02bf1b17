// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/cos.h>
#include <ATen/ops/fft_irfftn.h>
#include <ATen/ops/fft_rfftn.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <cstdint>
#include <numbers>
#include <vector>

#include "tessera/core/error.hpp"
#include "tessera/core/tensor.hpp"
#include "tessera/core/text.hpp"

namespace tessera {

/// A tile that continues a picture y smoothly into its own next copy: y at the origin, and
/// margin[d] >= 0 more pixels at the end of spatial dimension d (else error::ShapeMismatch). A
/// photograph is not periodic; restored by circular blurs it rings at its borders. Restore the tile
/// instead, then cut it back to y's extents by narrow. Margins of one to two sides of the kernel
/// suffice; n + margin without large prime factors is fastest.
///
/// Dimension by dimension, the first one first: the new strip has the least squared Laplacian,
/// given the two layers of pixels at each side of it, so values and slopes go over smoothly. Along
/// dimensions extended before, the strip is periodic; along those still to come it is mirrored at
/// the picture's borders. The idea and its use are those of Liu and Jia, "Reducing boundary
/// artifacts in image deconvolution", ICIP 2008, who fill the margin with solutions of Laplace's
/// equation. Solved directly, in float64, by Fourier transforms along the strip. Any floating dtype
/// and device; differentiable.
Tensor periodic_extension(const Tensor& y, const Extents& margin);
/// The same margin along every spatial dimension.
Tensor periodic_extension(const Tensor& y, std::int64_t margin);

namespace detail {

/// Solves e[j-2] - 2 c e[j-1] + (c^2 + 2) e[j] - 2 c e[j+1] + e[j+2] = 0 for the `count` values
/// between `ends` = e[-2], e[-1], e[count], e[count+1]: by L D L^T of the matrix of five diagonals.
/// The shape of c, at least 2, broadcasts to that of each value.
inline TensorList between(const TensorList& ends, const Tensor& c, std::int64_t count) {
  const auto n = static_cast<std::size_t>(count);
  TensorList right(n, at::zeros_like(ends[0]));
  const auto subtract = [&](std::size_t j, const Tensor& term) { right[j] = right[j] - term; };
  subtract(0, ends[0] - 2 * c * ends[1]);
  subtract(n - 1, ends[3] - 2 * c * ends[2]);
  if (n > 1) {
    subtract(1, ends[1]);
    subtract(n - 2, ends[2]);
  }
  TensorList first(n), second(n), pivot(n);  // L[j, j - 1], L[j, j - 2], D[j]
  for (std::size_t j = 0; j < n; ++j) {
    pivot[j] = c.square() + 2;
    if (j > 1) {
      second[j] = pivot[j - 2].reciprocal();
      pivot[j] = pivot[j] - second[j];
      right[j] = right[j] - second[j] * right[j - 2];
    }
    if (j > 0) {
      first[j] = (j > 1 ? -2 * c - first[j - 1] : -2 * c) / pivot[j - 1];
      pivot[j] = pivot[j] - first[j].square() * pivot[j - 1];
      right[j] = right[j] - first[j] * right[j - 1];
    }
  }
  for (std::size_t j = n; j-- > 0;) {
    right[j] = right[j] / pivot[j];
    if (j + 1 < n) right[j] = right[j] - first[j + 1] * right[j + 1];
    if (j + 2 < n) right[j] = right[j] - second[j + 2] * right[j + 2];
  }
  return right;
}

/// 2 plus the eigenvalues of minus the Laplacian on a periodic layer of these extents, shaped as
/// their rfftn: what the recurrence of between() has for c.
inline Tensor layer_coefficients(const Extents& extents, const Tensor& like) {
  Tensor c = at::zeros({}, like.options()) + 2;
  for (std::size_t d = 0; d < extents.size(); ++d) {
    const std::int64_t n = extents[d];
    Extents shape(extents.size(), 1);
    shape[d] = -1;
    const Tensor k = at::arange(d + 1 < extents.size() ? n : n / 2 + 1, like.options()).view(shape);
    c = c + (2 - 2 * at::cos(k * (2 * std::numbers::pi / static_cast<double>(n))));
  }
  return c;
}

/// `count` layers from the last along dimension d of `tile` to the first, as one strip.
inline Tensor smooth_strip(const Tensor& tile, std::int64_t d, std::int64_t count) {
  const std::int64_t n = tile.size(d);
  Extents axes;     // of a layer
  Extents extents;  // of a layer made periodic
  TensorList ends;
  for (const std::int64_t at : {std::max<std::int64_t>(n - 2, 0), n - 1, std::int64_t{0},
                                std::min<std::int64_t>(1, n - 1)}) {
    Tensor layer = tile.select(d, at).to(at::kDouble);
    for (std::int64_t e = d; e < layer.dim(); ++e) layer = at::cat({layer, layer.flip(e)}, e);
    ends.push_back(layer);
  }
  for (std::int64_t e = 2; e < ends[0].dim(); ++e) {
    axes.push_back(e);
    extents.push_back(ends[0].size(e));
  }
  const Tensor c = layer_coefficients(extents, ends[0]);
  if (!axes.empty()) {
    for (Tensor& layer : ends) layer = at::fft_rfftn(layer, extents, axes);
  }
  TensorList layers = between(ends, c, count);
  for (Tensor& layer : layers) {
    if (!axes.empty()) layer = at::fft_irfftn(layer, extents, axes);
    for (std::int64_t e = d; e < layer.dim(); ++e) layer = layer.narrow(e, 0, tile.size(e + 1));
    layer = layer.to(tile.scalar_type());
  }
  return at::stack(layers, d);
}

}  // namespace detail

inline Tensor periodic_extension(const Tensor& y, const Extents& margin) {
  check_image(y, "periodic_extension: y");
  const bool ok = static_cast<std::int64_t>(margin.size()) == spatial_dimensions(y) &&
                  std::all_of(margin.begin(), margin.end(), [](auto m) { return m >= 0; });
  if (!ok) {
    throw error::ShapeMismatch(formatted(
        "periodic_extension: margin is {} for y {}, expected a number >= 0 for each of {} spatial "
        "dimensions",
        to_string(margin), describe(y), spatial_dimensions(y)));
  }
  Tensor tile = y;
  for (std::size_t d = 0; d < margin.size(); ++d) {
    if (margin[d] == 0) continue;
    const auto axis = static_cast<std::int64_t>(d) + 2;
    tile = at::cat({tile, detail::smooth_strip(tile, axis, margin[d])}, axis);
  }
  return tile;
}

inline Tensor periodic_extension(const Tensor& y, std::int64_t margin) {
  check_image(y, "periodic_extension: y");
  return periodic_extension(y, Extents(static_cast<std::size_t>(spatial_dimensions(y)), margin));
}

}  // namespace tessera
