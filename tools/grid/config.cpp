// SPDX-License-Identifier: BSD-3-Clause
#include "grid/config.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <numeric>

#include "tessera/core/error.hpp"

namespace grid {

namespace {

constexpr std::size_t longest_word = 64;

std::string folded(std::string_view word) {
  std::string result(word.substr(0, longest_word));
  for (char& c : result) {
    c = c == '-' ? '_' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return result;
}

/// Insertions, deletions and exchanges between two words (Levenshtein).
std::size_t edits(const std::string& a, const std::string& b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t exchanged = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, exchanged});
    }
  }
  return row.back();
}

/// Every combination of an entry's axes, the last axis fastest.
std::vector<Settings> combinations(const Entry& entry) {
  std::vector<Settings> rows(1);
  for (const Axis& axis : entry.axes) {
    std::vector<Settings> longer;
    for (const Settings& row : rows) {
      for (const Settings& alternative : axis.alternatives) {
        longer.push_back(row);
        longer.back().insert(longer.back().end(), alternative.begin(), alternative.end());
      }
    }
    rows = std::move(longer);
  }
  return rows;
}

std::size_t count(const Entry& entry) {
  std::size_t rows = 1;
  for (const Axis& axis : entry.axes) {
    rows *= std::min(axis.alternatives.size(), most_rows + 1);
    rows = std::min(rows, most_rows + 1);
  }
  return rows;
}

std::size_t count(const std::vector<Entry>& entries) {
  std::size_t rows = 0;
  for (const Entry& entry : entries) rows = std::min(rows + count(entry), most_rows + 1);
  return rows;
}

/// A value as YAML: plain where that keeps its meaning.
std::string yaml_value(const Key& key, const std::string& value) {
  if (key.kind != Kind::text && key.kind != Kind::path) return value;
  std::string quoted = "\"";
  for (const char c : value) {
    const auto code = static_cast<unsigned char>(c);
    if (code < 0x20 || code == 0x7f) {
      quoted += fmt::format("\\x{:02x}", code);
      continue;
    }
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + "\"";
}

void append_section(std::string& text, const Vocabulary& vocabulary, Section section,
                    const Settings& row) {
  for (const Setting& setting : row) {
    const Key* key = find_key(vocabulary, section, setting.key);
    if (key == nullptr) continue;
    text += fmt::format("      {}: {}\n", key->name, yaml_value(*key, setting.value));
  }
}

}  // namespace

Vocabulary with_layout(Vocabulary vocabulary) {
  vocabulary.keys.push_back({"slurm_gres", Section::solver, Kind::text, ""});
  vocabulary.keys.push_back({"slurm_ntasks_per_node", Section::solver, Kind::integer, ""});
  vocabulary.keys.push_back({"slurm_nodes", Section::solver, Kind::integer, ""});
  return vocabulary;
}

const Key* find_key(const Vocabulary& vocabulary, Section section, std::string_view name) {
  for (const Key& key : vocabulary.keys) {
    if (key.section == section && key.name == name) return &key;
  }
  return nullptr;
}

std::string nearest(std::string_view word, const std::vector<std::string_view>& candidates) {
  const std::string given = folded(word);
  std::size_t least = std::string::npos;
  std::string_view best;
  for (const std::string_view candidate : candidates) {
    const std::size_t distance = edits(given, folded(candidate));
    if (distance < least) {
      least = distance;
      best = candidate;
    }
  }
  return std::string(best);
}

std::vector<Settings> expand(const GridConfig& config, const Vocabulary& vocabulary) {
  const std::size_t rows = count(config.datasets) * count(config.solvers);
  if (rows > most_rows) {
    throw tessera::error::InvalidArgument(
        fmt::format("{}: the lists multiply to more than {} rows", config.file, most_rows));
  }
  std::vector<Settings> result;
  for (const Entry& dataset : config.datasets) {
    for (const Settings& data : combinations(dataset)) {
      for (const Entry& solver : config.solvers) {
        for (const Settings& method : combinations(solver)) {
          Settings row = data;
          row.push_back({"problem", dataset.name, dataset.place});
          row.push_back({"solver", solver.name, solver.place});
          row.insert(row.end(), method.begin(), method.end());
          for (const auto& [key, value] : vocabulary.defaults) {
            if (find(row, key) == nullptr) row.push_back({key, value, solver.place});
          }
          if (config.max_runs && find(row, vocabulary.iterations) == nullptr) {
            row.push_back(*config.max_runs);
          }
          if (config.repetitions) row.push_back(*config.repetitions);
          result.push_back(std::move(row));
        }
      }
    }
  }
  return result;
}

const Setting* find(const Settings& row, std::string_view key) {
  for (const Setting& setting : row) {
    if (setting.key == key) return &setting;
  }
  return nullptr;
}

std::vector<std::string> to_arguments(const Setting& setting, const Vocabulary& vocabulary) {
  for (const char* name : {"problem", "solver", "repetitions"}) {
    if (setting.key == name) return {fmt::format("--{}", name), setting.value};
  }
  const Key* key = find_key(vocabulary, Section::solver, setting.key);
  if (key == nullptr) key = find_key(vocabulary, Section::dataset, setting.key);
  if (key == nullptr || key->option.empty()) return {};
  const std::string& option = key->option;
  if (key->kind != Kind::boolean) return {option, setting.value};
  return {setting.value == "true" ? option : "--no-" + option.substr(2)};
}

std::string to_yaml(const Settings& row, const Vocabulary& vocabulary) {
  const auto entry = [&](const char* key, const std::vector<EntryName>& names) {
    const Setting* chosen = find(row, key);
    for (const EntryName& name : names) {
      if (chosen != nullptr && chosen->value == name.in_options) return name.in_files;
    }
    return names.front().in_files;
  };
  std::string text = fmt::format("dataset:\n  - {}:\n", entry("problem", vocabulary.datasets));
  append_section(text, vocabulary, Section::dataset, row);
  text += fmt::format("solver:\n  - {}:\n", entry("solver", vocabulary.solvers));
  append_section(text, vocabulary, Section::solver, row);
  if (const Setting* repetitions = find(row, "repetitions")) {
    text += fmt::format("n-repetitions: {}\n", repetitions->value);
  }
  return text;
}

std::string at_place(const std::string& file, const Place& place) {
  if (place.line == 0) return fmt::format("{}: ", file);
  return fmt::format("{}:{}:{}: ", file, place.line, place.column);
}

}  // namespace grid
