// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/ops/tensor.h>
#include <ATen/ops/view_as_real.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <span>
#include <string_view>
#include <vector>

#include "tessera/comm/agreement.hpp"
#include "tessera/comm/communicator.hpp"
#include "tessera/core/real_dot.hpp"
#include "tessera/core/tensor.hpp"

/// Inner products of the images of a batch, each by itself, in float64 for every dtype. A
/// tensor is cut into `groups` equal parts along its first dimension: one per image, or one for
/// the whole. Complex tensors count as pairs of real numbers.
namespace tessera::detail {

/// real_dot of each group. Local.
std::vector<double> inner_each(const Tensor& a, const Tensor& b, std::int64_t groups);

/// ||a|| of each group, without overflow or underflow on the way. Local.
std::vector<double> norm_each(const Tensor& a, std::int64_t groups);

/// The largest magnitude in each group. Local.
std::vector<double> largest_each(const Tensor& a, std::int64_t groups);

/// One number per group as a tensor that multiplies `like`, which has them as its parts.
Tensor per_group(const std::vector<double>& numbers, const Tensor& like);

/// A power of two that brings `largest` near 1, where it is so far from it (beyond 2^30) that
/// squares may leave the range of float32; otherwise 1.
double power_of_two_towards_one(double largest);

/// Collective. Replaces each number, none negative, by its maximum over ranks: the same bits
/// everywhere, for decisions that ranks must take alike. NaN counts as the largest. One agree() for
/// each 16 numbers.
void share(Communicator& communicator, std::string_view where, std::vector<double>& numbers);

/// Collective. Square roots of `weight` times the sums over ranks of the squares of `norms`.
std::vector<double> norms_over_ranks(Communicator& communicator, std::string_view where,
                                     double weight, std::vector<double> norms);

/// (groups, elements), real.
inline Tensor group_rows(const Tensor& a, std::int64_t groups) {
  const Tensor real = a.is_complex() ? at::view_as_real(a.resolve_conj()) : a;
  return real.reshape({groups, -1});
}

inline double row_norm(const Tensor& row) {
  const double square = real_dot(row, row);
  if (square > 1e-280 && square < 1e280) return std::sqrt(square);
  const Tensor wide = row.to(at::kDouble);
  const double largest = wide.abs().max().item<double>();
  if (largest == 0 || !std::isfinite(largest)) return largest;
  const Tensor scaled = wide / largest;
  return largest * std::sqrt(real_dot(scaled, scaled));
}

inline std::vector<double> inner_each(const Tensor& a, const Tensor& b, std::int64_t groups) {
  const Tensor left = group_rows(a, groups);
  const Tensor right = group_rows(b, groups);
  std::vector<double> products;
  for (std::int64_t i = 0; i < groups; ++i) {
    products.push_back(real_dot(left[i], right[i]));
  }
  return products;
}

inline std::vector<double> norm_each(const Tensor& a, std::int64_t groups) {
  const Tensor all = group_rows(a, groups);
  std::vector<double> norms;
  for (std::int64_t i = 0; i < groups; ++i) norms.push_back(row_norm(all[i]));
  return norms;
}

inline std::vector<double> largest_each(const Tensor& a, std::int64_t groups) {
  const Tensor all = group_rows(a, groups);
  std::vector<double> largest;
  for (std::int64_t i = 0; i < groups; ++i)
    largest.push_back(all[i].abs().max().to(at::kDouble).item<double>());
  return largest;
}

inline Tensor per_group(const std::vector<double>& numbers, const Tensor& like) {
  std::vector<std::int64_t> shape(static_cast<std::size_t>(std::max<std::int64_t>(like.dim(), 1)),
                                  1);
  shape[0] = static_cast<std::int64_t>(numbers.size());
  const auto type = c10::toRealValueType(like.scalar_type());
  return at::tensor(numbers, at::TensorOptions().dtype(at::kDouble))
      .view(shape)
      .to(like.device(), type);
}

inline double power_of_two_towards_one(double largest) {
  if (!(largest > 0) || !std::isfinite(largest)) return 1;
  const int exponent = std::ilogb(largest);
  return std::abs(exponent) <= 30 ? 1 : std::ldexp(1.0, -exponent);
}

inline void share(Communicator& communicator, std::string_view where,
                  std::vector<double>& numbers) {
  if (communicator.size() == 1) return;
  std::vector<std::int64_t> bits;
  for (const double number : numbers) {
    // Numbers that are not negative are ordered as their bits are, NaN above infinity.
    bits.push_back(std::bit_cast<std::int64_t>(
        std::isnan(number) ? std::numeric_limits<double>::quiet_NaN() : std::abs(number)));
  }
  for (std::size_t from = 0; from < bits.size(); from += agreement_capacity) {
    const std::size_t count = std::min(agreement_capacity, bits.size() - from);
    agree(communicator, where, nullptr, std::span(bits).subspan(from, count));
  }
  for (std::size_t i = 0; i < bits.size(); ++i) numbers[i] = std::bit_cast<double>(bits[i]);
}

inline std::vector<double> norms_over_ranks(Communicator& communicator, std::string_view where,
                                            double weight, std::vector<double> norms) {
  std::vector<double> largest = norms;
  share(communicator, where, largest);
  for (std::size_t i = 0; i < norms.size(); ++i) {
    const double ratio = largest[i] > 0 ? norms[i] / largest[i] : 0;
    norms[i] = ratio * ratio;
  }
  if (communicator.size() > 1) {
    communicator.control().all_reduce(norms.data(), static_cast<std::int64_t>(norms.size()),
                                      DataType::f64, Reduction::sum);
  }
  for (std::size_t i = 0; i < norms.size(); ++i)
    norms[i] = largest[i] * std::sqrt(weight * norms[i]);
  return norms;
}

}  // namespace tessera::detail
