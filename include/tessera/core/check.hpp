#pragma once

#include <string_view>
#include <utility>

#include "tessera/core/tensor.hpp"

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

}  // namespace tessera
