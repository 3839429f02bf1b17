// SPDX-License-Identifier: BSD-3-Clause
#include "settings/checks.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <optional>

#include "settings/numbers.hpp"

namespace settings {

namespace {

[[noreturn]] void refuse(const std::string& option, const std::string& text,
                         const std::string& expected) {
  throw CLI::ValidationError(
      option, fmt::format("is {}, expected {}", text.empty() ? "empty" : text, expected));
}

std::string words_of(const Bounds& bounds) {
  if (!std::isfinite(bounds.high)) return bounds.open ? "more than zero" : "zero or more";
  return bounds.open ? fmt::format("more than {:g}, at most {:g}", bounds.low, bounds.high)
                     : fmt::format("{:g} to {:g}", bounds.low, bounds.high);
}

std::string words_of(std::int64_t low, std::int64_t high) {
  if (high == std::numeric_limits<std::int64_t>::max()) {
    return low == 0 ? "zero or more" : fmt::format("at least {}", low);
  }
  return fmt::format("{} to {}", low, high);
}

}  // namespace

double checked_number(const std::string& option, const std::string& text, const Bounds& bounds) {
  const std::optional<double> value = to_number(text);
  const std::string expected = words_of(bounds) + bounds.hint;
  if (!value) refuse(option, text, "a finite number like 0.1 or 1e-3, " + expected);
  const bool fits = (bounds.open ? *value > bounds.low : *value >= bounds.low);
  if (!fits || *value > bounds.high) refuse(option, text, expected);
  return *value;
}

std::int64_t checked_integer(const std::string& option, const std::string& text, std::int64_t low,
                             std::int64_t high) {
  const std::optional<std::int64_t> value = to_integer(text);
  if (!value) {
    refuse(option, text,
           "an integer in decimal digits without leading zeros, " + words_of(low, high));
  }
  if (*value < low || *value > high) refuse(option, text, words_of(low, high));
  return *value;
}

tessera::PerAxis checked_per_axis(const std::string& option, const std::string& text,
                                  std::int64_t low) {
  const std::string expected = words_of(low, unbounded);
  const std::optional<tessera::Extents> values = to_integers(text);
  if (!values) {
    refuse(option, text,
           "an integer in decimal digits without leading zeros, or one per axis as in 4x32x32, " +
               expected);
  }
  for (const std::int64_t value : *values) {
    if (value < low) refuse(option, text, expected);
  }
  return tessera::PerAxis(*values);
}

std::uint64_t checked_seed(const std::string& option, const std::string& text) {
  const std::optional<std::uint64_t> seed = to_unsigned(text);
  if (!seed) {
    refuse(option, text, "an integer in decimal digits without leading zeros, 0 to 2^64 - 1");
  }
  return *seed;
}

std::string checked_path(const std::string& option, const std::string& text) {
  if (text.empty()) refuse(option, text, "the name of a file or folder");
  return text;
}

std::string checked_word(const std::string& option, const std::string& text,
                         const std::vector<std::string>& words,
                         const std::map<std::string, std::string>& renamed) {
  if (const auto now = renamed.find(text); now != renamed.end()) {
    throw CLI::ValidationError(option, text + " is called " + now->second);
  }
  if (std::find(words.begin(), words.end(), text) == words.end()) {
    refuse(option, text, CLI::detail::join(words, words.size() == 2 ? " or " : ", "));
  }
  return text;
}

}  // namespace settings
