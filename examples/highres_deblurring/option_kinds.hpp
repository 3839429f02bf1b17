#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <vector>

/// Kinds of options: each adder checks every value by the one rule for its kind, so that a message
/// names the option, what was given and what is expected: "--overlap: is -8, expected zero or
/// more". Numbers are written as numbers.hpp says.

/// What a number may be, both ends included unless `open`.
struct Bounds {
  double low = 0;
  double high = std::numeric_limits<double>::infinity();
  bool open = false;      ///< more than `low`
  std::string hint = {};  ///< follows what is expected
};

inline const Bounds zero_or_more{};
inline const Bounds more_than_zero{.open = true};
/// Levels of noise.
inline const Bounds level{.high = 1, .hint = ", of intensities 0 to 1: 25 of 255 is 0.098"};
inline const Bounds positive_level{.high = 1, .open = true, .hint = level.hint};

/// The number that the text is. Throws CLI::ValidationError.
double checked_number(const std::string& option, const std::string& text, const Bounds& bounds);
std::int64_t checked_integer(const std::string& option, const std::string& text, std::int64_t low,
                             std::int64_t high);

/// The default is shown if it is there.
CLI::Option* add_number(CLI::App& app, const std::string& name, double& value, const Bounds& bounds,
                        const std::string& text);
CLI::Option* add_number(CLI::App& app, const std::string& name, std::optional<double>& value,
                        const Bounds& bounds, const std::string& text);

/// Whole numbers from `low` to `high`.
CLI::Option* add_integer(CLI::App& app, const std::string& name, std::int64_t& value,
                         std::int64_t low, std::int64_t high, const std::string& text);
CLI::Option* add_integer(CLI::App& app, const std::string& name, int& value, int low, int high,
                         const std::string& text);
/// Of 64 bits without a sign.
CLI::Option* add_seed(CLI::App& app, const std::string& name, std::uint64_t& value,
                      const std::string& text);

/// The name of a file or folder, which is not empty.
CLI::Option* add_path(CLI::App& app, const std::string& name, std::string& value,
                      const std::string& text);

/// One of a few words; `renamed` has old words and what they are called now.
CLI::Option* add_word(CLI::App& app, const std::string& name, std::string& value,
                      const std::vector<std::string>& words, const std::string& text,
                      const std::map<std::string, std::string>& renamed = {});

/// A flag and its negation that stay open unless one of them is given.
void add_choice(CLI::App& app, const std::string& name, std::optional<bool>& choice,
                const std::string& text, const std::string& group);
