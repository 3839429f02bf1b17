// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <fmt/core.h>
#ifdef TESSERA_CHECK_TEXTS
#include <fmt/format.h>
#endif

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace tessera {

namespace detail {

using TextArgument = fmt::basic_format_arg<fmt::format_context>;

template <typename Value>
TextArgument text_argument_of(Value value) {
  const auto store = fmt::make_format_args(value);
  return fmt::format_args(store).get(0);
}

// A number or a string without its type. Strings are not copied.
inline TextArgument text_argument(bool value) {
  return text_argument_of(value);
}
inline TextArgument text_argument(char value) {
  return text_argument_of(value);
}
inline TextArgument text_argument(std::signed_integral auto value) {
  return text_argument_of<long long>(value);
}
inline TextArgument text_argument(std::unsigned_integral auto value) {
  return text_argument_of<unsigned long long>(value);
}
inline TextArgument text_argument(float value) {
  return text_argument_of(value);
}
inline TextArgument text_argument(double value) {
  return text_argument_of(value);
}
inline TextArgument text_argument(std::string_view value) {
  return text_argument_of(fmt::string_view(value.data(), value.size()));
}
inline TextArgument text_argument(const char* value) {
  return text_argument(std::string_view(value));
}

inline std::string formatted_text(std::string_view pattern,
                                  std::initializer_list<TextArgument> arguments) {
  return fmt::vformat(fmt::string_view(pattern.data(), pattern.size()),
                      fmt::format_args(arguments.begin(), static_cast<int>(arguments.size())));
}

}  // namespace detail

#ifdef TESSERA_CHECK_TEXTS
/// As below, its patterns checked by the compiler: for a test that compiles every header so.
template <typename... Values>
std::string formatted(fmt::format_string<const Values&...> pattern, const Values&... values) {
  return fmt::format(pattern, values...);
}
#else
/// A message: `pattern` as fmt and std::format know it, with its {} replaced. For headers: a call
/// compiles in a tenth of the time that fmt::format takes, which looks at each pattern anew for
/// each set of types.
template <typename... Values>
std::string formatted(std::string_view pattern, const Values&... values) {
  return detail::formatted_text(pattern, {detail::text_argument(values)...});
}
#endif

/// "1, 2, 3"
template <typename Range>
std::string joined(const Range& values, std::string_view separator) {
  std::string all;
  for (const auto& value : values) {
    if (&value != &*values.begin()) all += separator;
    all += formatted("{}", value);
  }
  return all;
}

}  // namespace tessera
