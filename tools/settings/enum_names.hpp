// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace settings {

/// The value of an enum and its word.
template <typename Enum>
struct EnumName {
  Enum value;
  std::string_view name;
};
template <typename Enum>
EnumName(Enum, std::string_view) -> EnumName<Enum>;

/// The words of an enum, beside which this is specialised:
///
///   template <>
///   inline constexpr std::array settings::enum_names<Backend> = {
///       EnumName{Backend::mpi, "mpi"}, EnumName{Backend::nccl, "nccl"}};
template <typename Enum>
inline constexpr std::array<EnumName<Enum>, 0> enum_names = {};

/// The word of a value, which has one.
template <typename Enum>
constexpr std::string_view name_of(Enum value) {
  static_assert(!enum_names<Enum>.empty(), "settings::enum_names is not specialised");
  for (const EnumName<Enum>& entry : enum_names<Enum>) {
    if (entry.value == value) return entry.name;
  }
  return "?";
}

/// The value of a word; nothing if no value has it.
template <typename Enum>
constexpr std::optional<Enum> from_name(std::string_view name) {
  static_assert(!enum_names<Enum>.empty(), "settings::enum_names is not specialised");
  for (const EnumName<Enum>& entry : enum_names<Enum>) {
    if (entry.name == name) return entry.value;
  }
  return std::nullopt;
}

}  // namespace settings
