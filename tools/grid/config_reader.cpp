// SPDX-License-Identifier: BSD-3-Clause
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "grid/yaml_reader.hpp"
#include "settings/plain_text.hpp"

namespace grid {

using namespace settings;

namespace {

std::vector<std::string_view> names(const Vocabulary& vocabulary, Section section) {
  std::vector<std::string_view> result;
  for (const Key& key : vocabulary.keys) {
    if (key.section == section) result.push_back(key.name);
  }
  return result;
}

/// "a, b ,c" as its words.
std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> words;
  std::size_t begin = 0;
  while (begin <= text.size()) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    const std::size_t first = std::min(text.find_first_not_of(" \t\n", begin), end);
    std::size_t last = end;
    while (last > first && (text[last - 1] == ' ' || text[last - 1] == '\t')) --last;
    words.push_back(text.substr(first, last - first));
    begin = end + 1;
  }
  return words;
}

/// Reads the data sets or the solvers.
class EntryReader {
 public:
  EntryReader(YamlReader& reader, const Vocabulary& vocabulary, Section section)
      : reader_(reader), vocabulary_(vocabulary), section_(section) {}

  std::vector<Entry> entries(const YAML::Node& list) const {
    if (!list.IsSequence() || list.size() == 0) {
      reader_.fail(list, fmt::format("expected a list such as \"- {}:\" with parameters, got {}",
                                     known().front(), described(list)));
    }
    check_rows(list);
    std::vector<Entry> result;
    for (const YAML::Node& item : list) result.push_back(entry(item));
    return result;
  }

 private:
  const std::vector<EntryName>& entry_names() const {
    return section_ == Section::dataset ? vocabulary_.datasets : vocabulary_.solvers;
  }

  std::vector<std::string_view> known() const {
    std::vector<std::string_view> result;
    for (const EntryName& name : entry_names()) result.emplace_back(name.in_files);
    return result;
  }

  /// Refuses a list that alone makes too many rows, before it is read.
  void check_rows(const YAML::Node& list) const {
    if (list.size() <= most_rows) return;
    reader_.fail(list, fmt::format("{} makes more than {} rows", described(list), most_rows));
  }

  /// "- PnP", or "- PnP: {parameters}".
  Entry entry(const YAML::Node& item) const {
    if (item.IsScalar()) return {checked_name(item), place_of(item.Mark()), {}};
    if (!item.IsMap() || item.size() != 1) {
      reader_.fail(
          item, fmt::format("expected one name with its parameters, got {}",
                            item.IsMap() ? fmt::format("{} names", item.size()) : described(item)));
    }
    Entry result;
    reader_.for_each(item, [&](const YAML::Node& name, const YAML::Node& parameters) {
      result = {checked_name(name), place_of(name.Mark()), {}};
      if (parameters.IsNull()) return;
      if (!parameters.IsMap()) {
        reader_.fail(parameters, fmt::format("{}: expected parameters as keys and values, got {}",
                                             name.Scalar(), described(parameters)));
      }
      result.axes = axes(parameters);
    });
    return result;
  }

  /// As the command line spells it.
  std::string checked_name(const YAML::Node& node) const {
    for (const EntryName& name : entry_names()) {
      if (node.Scalar() == name.in_files) return name.in_options;
    }
    reader_.unknown(node, section_ == Section::dataset ? "data set" : "solver", known());
  }

  std::vector<Axis> axes(const YAML::Node& parameters) const {
    std::vector<Axis> result;
    std::set<std::string> seen;
    reader_.for_each(parameters, [&](const YAML::Node& joined, const YAML::Node& value) {
      std::vector<const Key*> keys;
      for (const std::string& word : split(joined.Scalar())) {
        const Key* key = find_key(vocabulary_, section_, word);
        if (key == nullptr) unknown_key(joined, word);
        reader_.check_new(seen, joined, key->option.empty() ? word : key->option);
        keys.push_back(key);
      }
      result.push_back(keys.size() == 1 ? single(*keys.front(), value) : zipped(keys, value));
    });
    return result;
  }

  [[noreturn]] void unknown_key(const YAML::Node& joined, const std::string& word) const {
    reader_.fail(joined, fmt::format("unknown key of a {} {}; the nearest known one is \"{}\"",
                                     section_ == Section::dataset ? "data set" : "solver",
                                     printable(word), nearest(word, names(vocabulary_, section_))));
  }

  /// A value, or a list of alternatives.
  Axis single(const Key& key, const YAML::Node& value) const {
    if (!value.IsSequence()) return {{{reader_.setting(key.name, key.kind, value)}}};
    if (value.size() == 0) {
      reader_.fail(value, fmt::format("{}: an empty list leaves nothing to run", key.name));
    }
    check_rows(value);
    Axis axis;
    for (const YAML::Node& item : value) {
      axis.alternatives.push_back({reader_.setting(key.name, key.kind, item)});
    }
    return axis;
  }

  /// Rows of values for several keys.
  Axis zipped(const std::vector<const Key*>& keys, const YAML::Node& value) const {
    if (!value.IsSequence() || value.size() == 0) {
      reader_.fail(value, fmt::format("{} keys joined by commas: expected a list of rows, got {}",
                                      keys.size(), described(value)));
    }
    check_rows(value);
    Axis axis;
    for (const YAML::Node& row : value) {
      if (!row.IsSequence() || row.size() != keys.size()) {
        reader_.fail(row, fmt::format("row {}: expected {} values, one per key, got {}",
                                      axis.alternatives.size() + 1, keys.size(), described(row)));
      }
      Settings settings;
      for (std::size_t i = 0; i < keys.size(); ++i) {
        settings.push_back(reader_.setting(keys[i]->name, keys[i]->kind, row[i]));
      }
      axis.alternatives.push_back(std::move(settings));
    }
    return axis;
  }

  YamlReader& reader_;
  const Vocabulary& vocabulary_;
  Section section_;
};

/// A name or a list of names: what the published benchmark writes under objective.
void check_objective(const YamlReader& reader, const Vocabulary& vocabulary,
                     const YAML::Node& value) {
  const std::vector<std::string_view> known(vocabulary.objectives.begin(),
                                            vocabulary.objectives.end());
  const auto check = [&](const YAML::Node& name) {
    if (!name.IsScalar()) {
      reader.fail(name, fmt::format("objective: expected a name, got {}", described(name)));
    }
    if (std::find(known.begin(), known.end(), name.Scalar()) == known.end()) {
      reader.unknown(name, "objective", known);
    }
  };
  if (!value.IsSequence()) return check(value);
  for (const YAML::Node& name : value) check(name);
}

}  // namespace

GridConfig parse_config(const std::string& text, const std::string& file,
                        const Vocabulary& vocabulary) {
  YamlReader reader(file);
  GridConfig config;
  config.file = file;
  reader.for_each(reader.document(text), [&](const YAML::Node& node, const YAML::Node& value) {
    const std::string& key = node.Scalar();
    if (key == "objective") {
      check_objective(reader, vocabulary, value);
    } else if (key == "dataset") {
      config.datasets = EntryReader(reader, vocabulary, Section::dataset).entries(value);
    } else if (key == "solver") {
      config.solvers = EntryReader(reader, vocabulary, Section::solver).entries(value);
    } else if (key == "max-runs") {
      config.max_runs = reader.setting(key, Kind::integer, value);
      config.max_runs->key = vocabulary.iterations;
    } else if (key == "n-repetitions") {
      config.repetitions = reader.setting(key, Kind::integer, value);
      config.repetitions->key = "repetitions";
    } else if (key == "html") {
      config.html = reader.setting(key, Kind::boolean, value).value == "true";
    } else if (key == "plot") {
      reader.setting(key, Kind::boolean, value);
    } else {
      reader.unknown(
          node, "key",
          {"objective", "dataset", "solver", "max-runs", "n-repetitions", "plot", "html"});
    }
  });
  for (const bool is_missing : {config.datasets.empty(), config.solvers.empty()}) {
    if (!is_missing) continue;
    throw tessera::error::InvalidArgument(fmt::format(
        "{}: there is no key \"{}\"", file, config.datasets.empty() ? "dataset" : "solver"));
  }
  return config;
}

}  // namespace grid
