// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/core/grad_mode.h>
#include <ATen/ops/isfinite.h>

#include <cmath>
#include <limits>
#include <string_view>
#include <utility>
#include <vector>

#include "tessera/core/error.hpp"
#include "tessera/core/tensor.hpp"
#include "tessera/core/text.hpp"

/// Checks of arguments and options. `who` starts the message ("pnp"), `what` names the value
/// ("step"). Each throws error::InvalidArgument: "pnp: step is inf, expected a finite number > 0".
namespace tessera {

/// A finite number > 0.
void check_positive(double value, std::string_view who, std::string_view what);

/// A finite number >= 0.
void check_not_negative(double value, std::string_view who, std::string_view what);

/// low <= high, neither of them NaN. An end may be open: [0, inf] holds all that is not negative;
/// but some finite number lies between them.
void check_range(const std::pair<double, double>& range, std::string_view who,
                 std::string_view what);

/// No NaN and no infinity among the elements; the message has their number, the first of them and
/// its index. One reduction on the tensor's device.
void check_finite(const Tensor& tensor, std::string_view who, std::string_view what);

namespace detail {

inline void require(bool holds, double value, std::string_view expected, std::string_view who,
                    std::string_view what) {
  if (holds) return;
  throw error::InvalidArgument(
      formatted("{}: {} is {}, expected a finite number {}", who, what, value, expected));
}

inline std::vector<std::int64_t> index_of(std::int64_t position, at::IntArrayRef shape) {
  std::vector<std::int64_t> index(shape.size());
  for (std::size_t axis = shape.size(); axis-- > 0;) {
    index[axis] = position % shape[axis];
    position /= shape[axis];
  }
  return index;
}

}  // namespace detail

inline void check_positive(double value, std::string_view who, std::string_view what) {
  detail::require(std::isfinite(value) && value > 0, value, "> 0", who, what);
}

inline void check_not_negative(double value, std::string_view who, std::string_view what) {
  detail::require(std::isfinite(value) && value >= 0, value, ">= 0", who, what);
}

inline void check_range(const std::pair<double, double>& range, std::string_view who,
                        std::string_view what) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  const auto [low, high] = range;
  if (low <= high && low < infinity && high > -infinity) return;
  throw error::InvalidArgument(
      formatted("{}: {} is [{}, {}], expected [low, high] with low <= high", who, what, low, high));
}

inline void check_finite(const Tensor& tensor, std::string_view who, std::string_view what) {
  const at::NoGradGuard no_grad;
  const Tensor finite = at::isfinite(tensor);
  if (finite.all().item<bool>()) return;
  const Tensor wrong = finite.logical_not().flatten();
  const auto first = wrong.to(at::kByte).argmax().item<std::int64_t>();
  const Tensor value = tensor.flatten()[first];
  throw error::InvalidArgument(
      formatted("{}: {} has {} of {} values that are not finite, the first is {} at [{}]", who,
                what, wrong.sum().item<std::int64_t>(), tensor.numel(),
                (value.is_complex() ? value.abs() : value).item<double>(),
                joined(detail::index_of(first, tensor.sizes()), ", ")));
}

}  // namespace tessera
