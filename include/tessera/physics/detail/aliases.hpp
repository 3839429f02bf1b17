// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/ops/fft_fftn.h>
#include <ATen/ops/fft_ifftn.h>
#include <ATen/ops/linalg_eigvalsh.h>
#include <ATen/ops/linalg_solve.h>
#include <ATen/ops/real.h>

#include <cstdint>
#include <vector>

#include "tessera/core/tensor.hpp"
#include "tessera/physics/detail/convolution.hpp"

/// Fourier transforms of images of which every f-th pixel is kept: the f^d frequencies k + a N / f
/// become one, k. What mixes these aliases and nothing else is a small matrix for each k < N / f.
namespace tessera::detail {

/// A complex (B, C, N...) with N = f n as (B, C, f^d, n...): the aliases of each k.
inline Tensor cut_into_aliases(const Tensor& spectrum, std::int64_t factor) {
  const std::int64_t d = spectrum.dim() - 2;
  std::vector<std::int64_t> cut = {spectrum.size(0), spectrum.size(1)};
  std::vector<std::int64_t> order = {0, 1};
  std::vector<std::int64_t> shape = {spectrum.size(0), spectrum.size(1), 1};
  for (std::int64_t i = 0; i < d; ++i) {
    const std::int64_t n = spectrum.size(2 + i) / factor;
    cut.insert(cut.end(), {factor, n});
    order.push_back(2 + 2 * i);
    shape[2] *= factor;
    shape.push_back(n);
  }
  for (std::int64_t i = 0; i < d; ++i) order.push_back(3 + 2 * i);
  return spectrum.reshape(cut).permute(order).reshape(shape);
}

/// The way back.
inline Tensor join_aliases(const Tensor& aliases, std::int64_t factor) {
  const std::int64_t d = aliases.dim() - 3;
  std::vector<std::int64_t> cut = {aliases.size(0), aliases.size(1)};
  std::vector<std::int64_t> order = {0, 1};
  std::vector<std::int64_t> shape = {aliases.size(0), aliases.size(1)};
  cut.insert(cut.end(), static_cast<std::size_t>(d), factor);
  for (std::int64_t i = 0; i < d; ++i) {
    cut.push_back(aliases.size(3 + i));
    order.insert(order.end(), {2 + i, 2 + d + i});
    shape.push_back(factor * aliases.size(3 + i));
  }
  return aliases.reshape(cut).permute(order).reshape(shape);
}

/// The aliases of a real image's transform, in float32 at least.
inline Tensor to_aliases(const Tensor& image, std::int64_t factor) {
  const at::ScalarType precision = image.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  const auto axes = spatial_axes(static_cast<std::size_t>(image.dim() - 2));
  return cut_into_aliases(at::fft_fftn(image.to(precision), {}, axes), factor);
}

inline Tensor from_aliases(const Tensor& aliases, std::int64_t factor, at::ScalarType type) {
  const Tensor joined = join_aliases(aliases, factor);
  const auto axes = spatial_axes(static_cast<std::size_t>(joined.dim() - 2));
  return at::real(at::fft_ifftn(joined, {}, axes)).to(type).contiguous();
}

/// The matrices of S H: A^T A = sum over a, b of conj(H_a) H_b / f^d, where H is the transfer
/// function of the blur before the pixels are dropped, (1 or B, 1 or C, N...), complex: shape (1 or
/// B, 1 or C, f^d, f^d, n...).
inline Tensor alias_matrices(const Tensor& transfer, std::int64_t factor) {
  const Tensor h = cut_into_aliases(transfer, factor);
  return h.conj().unsqueeze(3) * h.unsqueeze(2) / static_cast<double>(h.size(2));
}

/// matrices * aliases, matrices of shape (.., f^d, f^d, n...).
inline Tensor mix_aliases(const Tensor& matrices, const Tensor& aliases) {
  Tensor mixed;
  for (std::int64_t b = 0; b < aliases.size(2); ++b) {  // without f^(2 d) images at once
    const Tensor term = matrices.select(3, b) * aliases.narrow(2, b, 1);
    mixed = mixed.defined() ? mixed.add_(term) : term;
  }
  return mixed;
}

/// The same matrices as (1 or B, 1 or C, n..., f^d, f^d).
inline Tensor matrices_last(const Tensor& matrices) {
  return matrices.movedim({2, 3}, {-2, -1});
}

/// (matrices + shift I)^-1 aliases.
inline Tensor unmix_aliases(const Tensor& matrices, double shift, const Tensor& aliases) {
  Tensor shifted = matrices_last(matrices).contiguous();
  shifted.diagonal(0, -2, -1).add_(shift);
  if (shifted.size(0) > 1 || shifted.size(1) > 1) {
    const Tensor right = aliases.movedim(2, -1).unsqueeze(-1);
    return at::linalg_solve(shifted, right).squeeze(-1).movedim(-1, 2);
  }
  // One matrix for all images and channels: they are its right-hand sides.
  const Tensor right = aliases.flatten(0, 1).movedim(0, -1).movedim(0, -2);
  const Tensor solved = at::linalg_solve(shifted[0][0], right);
  return solved.movedim(-2, 0).movedim(-1, 0).reshape(aliases.sizes());
}

/// The largest eigenvalue of all matrices, which are Hermitian.
inline double largest_of_matrices(const Tensor& matrices) {
  return at::linalg_eigvalsh(matrices_last(matrices).contiguous()).max().item<double>();
}

}  // namespace tessera::detail
