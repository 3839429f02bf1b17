// SPDX-License-Identifier: BSD-3-Clause
#include "grid/slurm_values.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "settings/numbers.hpp"
#include "settings/plain_text.hpp"
#include "tessera/core/error.hpp"

namespace grid {

using namespace settings;

using tessera::error::InvalidArgument;

namespace {

constexpr std::string_view section = "slurm_additional_parameters: ";
constexpr std::size_t longest_value = 1024;
constexpr std::int64_t most_cores = 1024;
constexpr std::int64_t most_tasks = 1 << 20;
constexpr std::int64_t longest_time_s = std::int64_t{3650} * 24 * 3600;

constexpr std::array<std::string_view, 14> chosen_by_grid = {
    "nodes",  "ntasks",   "ntasks-per-node", "gres",  "gpus", "gpus-per-node",  "gpus-per-task",
    "output", "job-name", "error",           "array", "wrap", "ntasks-per-gpu", "gpus-per-socket"};
enum class Form { cores, tasks, memory, time };

/// Options whose values have a form; any other is a text.
struct Formed {
  std::string_view name;
  Form form;
};
constexpr std::array<Formed, 13> formed = {{{"cpus-per-task", Form::cores},
                                            {"cpus-per-gpu", Form::cores},
                                            {"mincpus", Form::cores},
                                            {"cores-per-socket", Form::cores},
                                            {"sockets-per-node", Form::cores},
                                            {"threads-per-core", Form::cores},
                                            {"ntasks-per-core", Form::tasks},
                                            {"ntasks-per-socket", Form::tasks},
                                            {"mem", Form::memory},
                                            {"mem-per-cpu", Form::memory},
                                            {"mem-per-gpu", Form::memory},
                                            {"tmp", Form::memory},
                                            {"time-min", Form::time}}};

std::optional<Form> form_of(std::string_view name) {
  for (const Formed& option : formed) {
    if (option.name == name) return option.form;
  }
  return std::nullopt;
}

[[noreturn]] void refuse(const std::string& key, const std::string& expected,
                         const std::string& value) {
  throw InvalidArgument(fmt::format("{}: expected {}, got {}", key, expected, printable(value)));
}

std::int64_t checked_count(const std::string& key, const std::string& value, std::int64_t most) {
  const std::optional<std::int64_t> count = to_integer(value);
  if (!count || *count < 1 || *count > most) {
    refuse(key, fmt::format("a count from 1 to {}", most), value);
  }
  return *count;
}

/// Megabytes, or a number with K, M, G or T; 0 asks for all.
void check_memory(const std::string& key, const std::string& value) {
  constexpr std::uint64_t most = 1'000'000'000;
  std::string_view digits = value;
  if (!digits.empty() && std::string_view("KMGTkmgt").find(digits.back()) != std::string::npos) {
    digits.remove_suffix(1);
  }
  const std::optional<std::uint64_t> number = to_unsigned(digits);
  if (!number || *number > most) refuse(key, "an amount of memory like 4G or 500M", value);
}

/// Digits; leading zeros are usual in times.
std::optional<std::int64_t> to_field(std::string_view text) {
  constexpr std::size_t most_digits = 9;
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  if (text.empty() || text.size() > most_digits) return std::nullopt;
  if (!std::all_of(text.begin(), text.end(), is_digit)) return std::nullopt;
  text.remove_prefix(std::min(text.find_first_not_of('0'), text.size() - 1));
  return to_integer(text);
}

/// The fields between colons, of which all but the first are at most `most`.
std::optional<std::vector<std::int64_t>> to_fields(std::string_view text) {
  std::vector<std::int64_t> fields;
  while (true) {
    const std::size_t colon = text.find(':');
    const std::optional<std::int64_t> field = to_field(text.substr(0, colon));
    if (!field || (!fields.empty() && *field > 59)) return std::nullopt;
    fields.push_back(*field);
    if (colon == std::string_view::npos) return fields;
    text.remove_prefix(colon + 1);
  }
}

/// The seconds of a time limit; nothing if it is not written as one.
std::optional<std::int64_t> to_seconds(std::string_view text) {
  std::int64_t days = 0;
  const std::size_t dash = text.find('-');
  const bool has_days = dash != std::string_view::npos;
  if (has_days) {
    const std::optional<std::int64_t> field = to_field(text.substr(0, dash));
    if (!field) return std::nullopt;
    days = *field;
    text.remove_prefix(dash + 1);
  }
  const std::optional<std::vector<std::int64_t>> fields = to_fields(text);
  if (!fields || fields->size() > 3 || (has_days && fields->front() > 23)) return std::nullopt;
  // After days hours come first; otherwise one or two fields are minutes and seconds.
  std::int64_t unit = has_days || fields->size() == 3 ? 3600 : 60;
  std::int64_t seconds = days * 24 * 3600;
  for (const std::int64_t field : *fields) {
    seconds += field * unit;
    unit /= 60;
  }
  return seconds;
}

void check_name(const std::string& name) {
  const bool is_word = name.size() > 1 &&
                       std::isalpha(static_cast<unsigned char>(name.front())) != 0 &&
                       std::all_of(name.begin(), name.end(), [](char c) {
                         return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-';
                       });
  if (!is_word) {
    throw InvalidArgument(
        fmt::format("{}{} is not the name of an option of sbatch", section, printable(name)));
  }
  if (name == "time") throw InvalidArgument(fmt::format("{}time: give slurm_time", section));
  for (const std::string_view chosen : chosen_by_grid) {
    if (!chosen.starts_with(name)) continue;
    throw InvalidArgument(
        fmt::format("{}{} follows from the row of the grid, leave it out", section, name));
  }
  // sbatch takes the beginning of a name for the name; what is checked here is known by its own.
  if (form_of(name)) return;
  for (const Formed& option : formed) {
    if (!option.name.starts_with(name)) continue;
    throw InvalidArgument(fmt::format("{}{}: give the full name, {}", section, name, option.name));
  }
}

void check_text(const std::string& key, const std::string& value) {
  check_line(key, value);
  if (value.empty() || value == "false") {
    refuse(key, "a value, or true for an option without one; or leave it out", value);
  }
  if (value.size() > longest_value) {
    refuse(key, fmt::format("at most {} bytes", longest_value), value);
  }
}

bool is_plain(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
         std::string_view("-_./=:,+@%").find(c) != std::string_view::npos;
}

}  // namespace

std::string with_dashes(std::string name) {
  std::replace(name.begin(), name.end(), '_', '-');
  return name;
}

int checked_cores(const std::string& key, const std::string& value) {
  return static_cast<int>(checked_count(key, value, most_cores));
}

void check_time(const std::string& key, const std::string& value) {
  if (value == "UNLIMITED") return;
  const std::optional<std::int64_t> seconds = to_seconds(value);
  if (seconds && *seconds > 0 && *seconds <= longest_time_s) return;
  refuse(key, "minutes, M:SS, H:MM:SS, D-HH, D-HH:MM, D-HH:MM:SS or UNLIMITED", value);
}

void check_parameter(const std::string& name, const std::string& value) {
  const std::string option = with_dashes(name);
  check_name(option);
  const std::string key = std::string(section) + option;
  const std::optional<Form> form = form_of(option);
  if (!form) return check_text(key, value);
  if (*form == Form::cores) checked_count(key, value, most_cores);
  if (*form == Form::tasks) checked_count(key, value, most_tasks);
  if (*form == Form::memory) check_memory(key, value);
  if (*form == Form::time) check_time(key, value);
}

void check_launcher(const std::string& launcher) {
  const bool is_good = std::all_of(launcher.begin(), launcher.end(), [](char c) {
    return is_plain(c) || c == ' ' || c == '$' || c == '{' || c == '}';
  });
  if (is_good && launcher.find_first_not_of(' ') != std::string::npos) return;
  refuse("slurm_launcher", "a program with its flags (other shell goes into slurm_setup)",
         launcher);
}

std::string directive(const std::string& option, const std::string& value) {
  const std::string name = with_dashes(option);
  if (value == "true") return fmt::format("#SBATCH --{}\n", name);
  if (std::all_of(value.begin(), value.end(), is_plain)) {
    return fmt::format("#SBATCH --{}={}\n", name, value);
  }
  std::string quoted;
  for (const char c : value) {
    if (c == '"' || c == '\\' || c == '#') quoted += '\\';
    quoted += c;
  }
  return fmt::format("#SBATCH --{}=\"{}\"\n", name, quoted);
}

}  // namespace grid
