// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <yaml-cpp/yaml.h>

#include <cstddef>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "grid/config.hpp"
#include "tessera/core/error.hpp"

namespace grid {

Place place_of(const YAML::Mark& mark);

/// What a node is, for messages.
std::string described(const YAML::Node& node);

/// Reads one YAML file, and knows its name for messages. Everything that it refuses is an
/// error::InvalidArgument that begins with file:line:column.
class YamlReader {
 public:
  explicit YamlReader(std::string file) : file_(std::move(file)) {}

  [[noreturn]] void fail(const YAML::Node& node, const std::string& message) const {
    fail(node.Mark(), message);
  }
  [[noreturn]] void unknown(const YAML::Node& node, const std::string& what,
                            const std::vector<std::string_view>& candidates) const;

  /// The one document of the text, keys and values.
  YAML::Node document(const std::string& text) const;

  /// Calls use(key, value) for every pair of a map; keys are texts, each there once.
  template <typename Use>
  void for_each(const YAML::Node& map, Use&& use) const {
    std::set<std::string> seen;
    for (const auto& pair : map) {
      check_key(pair.first);
      check_new(seen, pair.first, pair.first.Scalar());
      use(pair.first, pair.second);
    }
  }

  /// Refuses a key that was seen before.
  void check_new(std::set<std::string>& seen, const YAML::Node& node, const std::string& key) const;

  /// A single value of a kind.
  Setting setting(std::string_view key, Kind kind, const YAML::Node& node);

  /// Runs a check, and puts the node's place before what it says.
  template <typename Check>
  void checked(const YAML::Node& node, Check&& check) const {
    try {
      check();
    } catch (const tessera::error::InvalidArgument& error) {
      fail(node, error.what());
    }
  }

 private:
  [[noreturn]] void fail(const YAML::Mark& mark, const std::string& message) const;
  [[noreturn]] void fail_at_byte(const std::string& text, std::size_t byte) const;
  void check_key(const YAML::Node& key) const;

  std::string file_;
  std::size_t values_ = 0;  ///< read so far; aliases can make many of a small file
};

}  // namespace grid
