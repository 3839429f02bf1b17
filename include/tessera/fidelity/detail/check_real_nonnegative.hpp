// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string_view>

#include "tessera/core/error.hpp"
#include "tessera/core/tensor.hpp"
#include "tessera/core/text.hpp"

namespace tessera::detail {

/// Throws error::InvalidArgument where the measurement y, `expected` ("counts"), is complex or has
/// negative values. NaN is no negative value. One reduction on the device of y.
inline void check_real_nonnegative(const Tensor& y, std::string_view who,
                                   std::string_view expected) {
  if (!y.is_complex() && (y.numel() == 0 || !(y.min().item<double>() < 0))) return;
  throw error::InvalidArgument(
      formatted("{}: the measurement {} is complex or has negative values, expected {}", who,
                describe(y), expected));
}

}  // namespace tessera::detail
