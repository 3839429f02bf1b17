#pragma once

#include <string_view>
#include <vector>

#include "tessera/comm/communicator.hpp"
#include "tessera/core/tensor.hpp"

/// Inner products of the images of a batch, each by itself, in float64 whatever their dtype. A
/// tensor is cut into `groups` equal parts along its first dimension: one per image, or one for
/// the whole. Complex tensors count as pairs of real numbers.
namespace tessera::detail {

/// <a, b> of each group. Local.
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

}  // namespace tessera::detail
