// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <fmt/format.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "grid/yaml_reader.hpp"
#include "settings/enum_names.hpp"
#include "settings/kind.hpp"

namespace restore {

/// A key of a map, and what reads its value.
struct Entry {
  std::string_view key;
  std::function<void(const YAML::Node&)> read;
};

enum class Sign { any, not_negative, positive };

/// Reads the values of one configuration file by what they are to be; relative paths are beside it.
/// What is something else is refused with file, line, column and key.
class ValueReader {
 public:
  explicit ValueReader(const std::string& file)
      : yaml_(file), file_(file), folder_(std::filesystem::path(file).parent_path()) {}

  const std::string& file() const { return file_; }
  YAML::Node document(const std::string& text) const { return yaml_.document(text); }

  /// "file:line:column: ".
  std::string place(const YAML::Node& node) const;

  [[noreturn]] void fail(const YAML::Node& node, const std::string& message) const {
    yaml_.fail(node, message);
  }
  [[noreturn]] void unknown(const YAML::Node& node, const std::string& what,
                            const std::vector<std::string_view>& candidates) const {
    yaml_.unknown(node, what, candidates);
  }
  [[noreturn]] void missing(const std::string& key) const;

  /// Calls use(key, value) for every pair of a map.
  template <typename Use>
  void for_each(const YAML::Node& map, Use&& use) const {
    yaml_.for_each(map, std::forward<Use>(use));
  }

  /// Reads the keys of a map; `what` is what an unknown one is called.
  void map(const YAML::Node& map, const std::string& what, const std::vector<Entry>& entries) const;

  double number(std::string_view key, const YAML::Node& node, Sign sign);
  /// A positive number; nothing for auto.
  std::optional<double> number_or_auto(std::string_view key, const YAML::Node& node);
  std::int64_t integer(std::string_view key, const YAML::Node& node, std::int64_t low,
                       std::int64_t high);
  bool boolean(std::string_view key, const YAML::Node& node);
  std::string text(std::string_view key, const YAML::Node& node);
  std::string path(std::string_view key, const YAML::Node& node);

  /// One of the words of an enum.
  template <typename Enum>
  Enum word(std::string_view key, const YAML::Node& node) {
    const std::string text = yaml_.setting(key, settings::Kind::text, node).value;
    if (const auto value = settings::from_name<Enum>(text)) return *value;
    std::vector<std::string_view> known;
    for (const auto& entry : settings::enum_names<Enum>) known.push_back(entry.name);
    yaml_.unknown(node, std::string(key), known);
  }

  template <std::size_t count>
  std::array<double, count> numbers(std::string_view key, const YAML::Node& node) {
    if (!node.IsSequence() || node.size() != count) {
      yaml_.fail(node, fmt::format("{}: expected a list of {} numbers, got {}", key, count,
                                   grid::described(node)));
    }
    std::array<double, count> values = {};
    for (std::size_t i = 0; i < count; ++i) values.at(i) = number(key, node[i], Sign::any);
    return values;
  }

 private:
  grid::YamlReader yaml_;
  std::string file_;
  std::filesystem::path folder_;
};

}  // namespace restore
