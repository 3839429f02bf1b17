// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tessera/core/state_dict.hpp"

namespace tessera::detail {

/// One parameter that an architecture asks for. A shape entry is a size, or unknown(i) for the i-th
/// number that the architecture leaves open (a channel width).
struct ExpectedParameter {
  std::string key;
  std::vector<std::int64_t> shape;
};

constexpr std::int64_t unknown(std::int64_t index) {
  return -1 - index;
}

/// The numbers at the places of '#' in a key that matches `pattern` as a whole; each '#' is one to
/// three digits. nullopt if it does not match: match("m_body.12.x", "m_body.#.x") is {12}.
std::optional<std::vector<std::int64_t>> match(std::string_view key, std::string_view pattern);

/// The parameters in the layout's order, and the value of each unknown.
struct FittedLayout {
  std::vector<Tensor> parameters;
  std::vector<std::int64_t> unknowns;
};

/// Fits a state dict to a layout. Each unknown takes the value that most parameters agree on, so
/// that a damaged parameter is the one that is blamed. Throws error::ShapeMismatch with one message
/// that names, up to a few, the missing, unexpected, mis-shaped and non-floating parameters, with
/// both shapes.
FittedLayout fit(const StateDict& weights, const std::vector<ExpectedParameter>& layout,
                 std::size_t unknown_count, const std::string& who);

}  // namespace tessera::detail
