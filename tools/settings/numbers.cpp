// SPDX-License-Identifier: BSD-3-Clause
#include "settings/numbers.hpp"

#include <charconv>
#include <cmath>
#include <system_error>

namespace settings {

namespace {

template <typename Number>
std::optional<Number> parsed(std::string_view text) {
  Number value{};
  const char* end = text.data() + text.size();
  const auto [stop, code] = std::from_chars(text.data(), end, value);
  if (code != std::errc() || stop != end || text.empty()) return std::nullopt;
  return value;
}

bool has_leading_zero(std::string_view text) {
  if (text.starts_with('-')) text.remove_prefix(1);
  return text.size() > 1 && text.front() == '0';
}

}  // namespace

std::optional<std::int64_t> to_integer(std::string_view text) {
  if (has_leading_zero(text)) return std::nullopt;
  return parsed<std::int64_t>(text);
}

std::optional<std::uint64_t> to_unsigned(std::string_view text) {
  if (has_leading_zero(text)) return std::nullopt;
  return parsed<std::uint64_t>(text);
}

std::optional<std::vector<std::int64_t>> to_integers(std::string_view text) {
  std::vector<std::int64_t> values;
  for (std::size_t end = 0; end != std::string_view::npos;) {
    end = text.find('x');
    const std::optional<std::int64_t> value = to_integer(text.substr(0, end));
    if (!value) return std::nullopt;
    values.push_back(*value);
    if (end != std::string_view::npos) text.remove_prefix(end + 1);
  }
  return values;
}

std::optional<double> to_number(std::string_view text) {
  const std::optional<double> value = parsed<double>(text);
  return value && std::isfinite(*value) ? value : std::nullopt;
}

}  // namespace settings
