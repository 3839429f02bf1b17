#include "option_kinds.hpp"

#include <fmt/format.h>

#include <cmath>

#include "settings/numbers.hpp"

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

/// An option whose text `take` checks and keeps.
template <typename Take>
CLI::Option* add(CLI::App& app, const std::string& name, const std::string& text,
                 const std::string& type, Take take) {
  return app
      .add_option_function<std::string>(
          name, [take, name](const std::string& given) { take(name, given); }, text)
      ->type_name(type);
}

}  // namespace

double checked_number(const std::string& option, const std::string& text, const Bounds& bounds) {
  const std::optional<double> value = settings::to_number(text);
  const std::string expected = words_of(bounds) + bounds.hint;
  if (!value) refuse(option, text, "a finite number like 0.1 or 1e-3, " + expected);
  const bool fits = (bounds.open ? *value > bounds.low : *value >= bounds.low);
  if (!fits || *value > bounds.high) refuse(option, text, expected);
  return *value;
}

std::int64_t checked_integer(const std::string& option, const std::string& text, std::int64_t low,
                             std::int64_t high) {
  const std::optional<std::int64_t> value = settings::to_integer(text);
  if (!value) {
    refuse(option, text,
           "an integer in decimal digits without leading zeros, " + words_of(low, high));
  }
  if (*value < low || *value > high) refuse(option, text, words_of(low, high));
  return *value;
}

CLI::Option* add_number(CLI::App& app, const std::string& name, double& value, const Bounds& bounds,
                        const std::string& text) {
  return add(app, name, text, "NUMBER",
             [&value, bounds](const std::string& option, const std::string& given) {
               value = checked_number(option, given, bounds);
             })
      ->default_str(fmt::format("{}", value));
}

CLI::Option* add_number(CLI::App& app, const std::string& name, std::optional<double>& value,
                        const Bounds& bounds, const std::string& text) {
  return add(app, name, text, "NUMBER",
             [&value, bounds](const std::string& option, const std::string& given) {
               value = checked_number(option, given, bounds);
             });
}

CLI::Option* add_integer(CLI::App& app, const std::string& name, std::int64_t& value,
                         std::int64_t low, std::int64_t high, const std::string& text) {
  return add(app, name, text, "INTEGER",
             [&value, low, high](const std::string& option, const std::string& given) {
               value = checked_integer(option, given, low, high);
             })
      ->default_str(fmt::format("{}", value));
}

CLI::Option* add_integer(CLI::App& app, const std::string& name, int& value, int low, int high,
                         const std::string& text) {
  return add(app, name, text, "INTEGER",
             [&value, low, high](const std::string& option, const std::string& given) {
               value = static_cast<int>(checked_integer(option, given, low, high));
             })
      ->default_str(fmt::format("{}", value));
}

CLI::Option* add_seed(CLI::App& app, const std::string& name, std::uint64_t& value,
                      const std::string& text) {
  return add(app, name, text, "INTEGER",
             [&value](const std::string& option, const std::string& given) {
               const std::optional<std::uint64_t> seed = settings::to_unsigned(given);
               if (!seed) {
                 refuse(option, given,
                        "an integer in decimal digits without leading zeros, 0 to 2^64 - 1");
               }
               value = *seed;
             })
      ->default_str(fmt::format("{}", value));
}

CLI::Option* add_path(CLI::App& app, const std::string& name, std::string& value,
                      const std::string& text) {
  return add(app, name, text, "PATH",
             [&value](const std::string& option, const std::string& given) {
               if (given.empty()) refuse(option, given, "the name of a file or folder");
               value = given;
             })
      ->default_str(value);
}

CLI::Option* add_word(CLI::App& app, const std::string& name, std::string& value,
                      const std::vector<std::string>& words, const std::string& text,
                      const std::map<std::string, std::string>& renamed) {
  return add(app, name, text, "{" + CLI::detail::join(words, ",") + "}",
             [&value, words, renamed](const std::string& option, const std::string& given) {
               if (const auto now = renamed.find(given); now != renamed.end()) {
                 throw CLI::ValidationError(option, given + " is called " + now->second);
               }
               if (std::find(words.begin(), words.end(), given) == words.end()) {
                 refuse(option, given, CLI::detail::join(words, ", "));
               }
               value = given;
             })
      ->default_str(value);
}

void add_choice(CLI::App& app, const std::string& name, std::optional<bool>& choice,
                const std::string& text, const std::string& group) {
  app.add_flag_callback(
         "--" + name, [&choice] { choice = true; }, text)
      ->group(group);
  app.add_flag_callback(
         "--no-" + name, [&choice] { choice = false; }, "Do not")
      ->group(group)
      ->excludes("--" + name);
}
