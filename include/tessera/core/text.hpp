#pragma once

#include <fmt/args.h>
#include <fmt/core.h>
#ifdef TESSERA_CHECK_TEXTS
#include <fmt/format.h>
#endif

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <variant>

namespace tessera {

namespace detail {

/// A number or a string in a message, whatever its type was.
class TextValue {
 public:
  TextValue(bool value) : value_(value) {}
  TextValue(char value) : value_(value) {}
  template <std::signed_integral Number>
  TextValue(Number value) : value_(std::int64_t{value}) {}
  template <std::unsigned_integral Number>
  TextValue(Number value) : value_(std::uint64_t{value}) {}
  TextValue(float value) : value_(value) {}
  TextValue(double value) : value_(value) {}
  TextValue(const char* value) : value_(std::string_view(value)) {}
  TextValue(const std::string& value) : value_(std::string_view(value)) {}
  TextValue(std::string_view value) : value_(value) {}

  using Value =
      std::variant<bool, char, std::int64_t, std::uint64_t, float, double, std::string_view>;
  const Value& value() const { return value_; }

 private:
  Value value_;
};

inline std::string formatted_text(std::string_view pattern,
                                  std::initializer_list<TextValue> values) {
  fmt::dynamic_format_arg_store<fmt::format_context> arguments;
  for (const TextValue& each : values) {
    std::visit([&](const auto& value) { arguments.push_back(value); }, each.value());
  }
  return fmt::vformat(fmt::string_view(pattern.data(), pattern.size()), arguments);
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
  return detail::formatted_text(pattern, {detail::TextValue(values)...});
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
