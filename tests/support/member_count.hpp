// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <optional>

namespace test {

template <typename T>
inline constexpr bool is_optional = false;
template <typename T>
inline constexpr bool is_optional<std::optional<T>> = true;

/// Initialises a member of any type.
struct Anything {
  template <typename T>
  requires(!is_optional<T>) operator T() const;
};

/// How many members an aggregate has: as many as it takes initialisers.
template <typename Aggregate, typename... Initialisers>
consteval std::size_t member_count() {
  if constexpr (requires { Aggregate{Initialisers{}..., Anything{}}; }) {
    return member_count<Aggregate, Initialisers..., Anything>();
  } else {
    return sizeof...(Initialisers);
  }
}

}  // namespace test
