// SPDX-License-Identifier: BSD-3-Clause
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <set>

#include "grid/rows.hpp"

namespace grid {

namespace {

/// What a name may be made of, shortened.
std::string plain(const std::string& text) {
  std::string result;
  for (const char c : text.substr(0, 40)) {
    const bool keep = std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '.' || c == '_';
    result += keep ? c : '-';
  }
  return result;
}

std::string value_of(const Settings& row, const std::string& key, const std::string& otherwise) {
  const Setting* setting = find(row, key);
  return setting == nullptr ? otherwise : setting->value;
}

/// Keys whose values differ among the rows; those of the layout and of the titles are in the names
/// already.
std::vector<std::string> varying_keys(const Program& program, const std::vector<Settings>& rows) {
  std::vector<std::string> keys;
  std::map<std::string, std::set<std::string>> values;
  for (const Settings& row : rows) {
    for (const Setting& setting : row) {
      if (setting.key.starts_with("slurm_")) continue;
      if (std::find(keys.begin(), keys.end(), setting.key) == keys.end()) {
        keys.push_back(setting.key);
      }
    }
  }
  for (const std::string& key : keys) {
    for (const Settings& row : rows) values[key].insert(value_of(row, key, ""));
  }
  std::erase_if(keys, [&](const std::string& key) { return values[key].size() < 2; });
  for (const std::string& key : program.keys_in_title()) std::erase(keys, key);
  return keys;
}

bool is_unique(const std::vector<std::string>& names, const std::string& name) {
  return std::count(names.begin(), names.end(), name) == 1;
}

}  // namespace

std::vector<std::string> row_names(const Program& program, const std::vector<Settings>& rows,
                                   const std::vector<int>& ranks) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    names.push_back(plain(
        fmt::format("{}-{}-rank{}", program.title(rows[i]), ranks[i], ranks[i] == 1 ? "" : "s")));
  }
  for (const std::string& key : varying_keys(program, rows)) {
    // A key is added to all rows that share a name, if it tells any two of them apart.
    std::map<std::string, std::set<std::string>> values;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      values[names[i]].insert(value_of(rows[i], key, "default"));
    }
    std::vector<std::string> longer = names;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (values[names[i]].size() < 2) continue;
      longer[i] += plain(fmt::format("-{}-{}", key, value_of(rows[i], key, "default")));
    }
    names = std::move(longer);
  }
  std::map<std::string, int> seen;
  const std::vector<std::string> bare = names;
  for (std::string& name : names) {
    const int copy = ++seen[name];
    if (copy > 1 || !is_unique(bare, name)) name = fmt::format("{}-copy-{}", name, copy);
  }
  return names;
}

}  // namespace grid
