// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace settings {

/// How numbers are written: one rule for the command line and for YAML files. The whole text is the
/// number, without blanks or a plus sign; nothing if it is not one or does not fit.

/// Decimal digits, a minus sign before them; no leading zeros, which some programs read as octal.
std::optional<std::int64_t> to_integer(std::string_view text);
std::optional<std::uint64_t> to_unsigned(std::string_view text);
/// Joined by x: 32, or 4x32x32.
std::optional<std::vector<std::int64_t>> to_integers(std::string_view text);

/// A finite decimal number: 0.1, 1e-3, 5.
std::optional<double> to_number(std::string_view text);

}  // namespace settings
