#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <initializer_list>
#include <sstream>

#include "config.hpp"
#include "tessera/core/error.hpp"

namespace {

constexpr std::size_t largest_file = 1 << 20;

Place place_of(const YAML::Mark& mark) {
  if (mark.line < 0 || mark.column < 0) return {};
  return {mark.line + 1, mark.column + 1};
}

/// What a node is, for messages.
std::string described(const YAML::Node& node) {
  switch (node.Type()) {
    case YAML::NodeType::Scalar: {
      const std::string& text = node.Scalar();
      return fmt::format("\"{}{}\"", text.substr(0, 60), text.size() > 60 ? "..." : "");
    }
    case YAML::NodeType::Sequence:
      return fmt::format("a list of {}", node.size());
    case YAML::NodeType::Map:
      return "keys and values";
    default:
      return "nothing";
  }
}

const char* name_of(Kind kind) {
  switch (kind) {
    case Kind::integer:
      return "an integer";
    case Kind::number:
      return "a number";
    case Kind::number_or_auto:
      return "a number or auto";
    case Kind::boolean:
      return "true or false";
    case Kind::text:
      return "a text";
  }
  return "a value";
}

bool is_integer(const std::string& text) {
  std::int64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, code] = std::from_chars(text.data(), end, value);
  return code == std::errc() && stop == end;
}

bool is_number(const std::string& text) {
  double value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, code] = std::from_chars(text.data(), end, value);
  return code == std::errc() && stop == end && std::isfinite(value);
}

/// Hears a parser, and counts documents.
struct DocumentCounter final : YAML::EventHandler {
  int count = 0;
  YAML::Mark last;  ///< where the last one begins

  void OnDocumentStart(const YAML::Mark& mark) override {
    ++count;
    last = mark;
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t,
                const std::string&) override {}
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {}
  void OnMapEnd() override {}
};

/// Reads one file, and knows its name for messages.
class Reader {
 public:
  explicit Reader(const std::string& file) : file_(file) {}

  [[noreturn]] void fail(const YAML::Node& node, const std::string& message) const {
    fail(node.Mark(), message);
  }

  /// The one document of the file, keys and values.
  YAML::Node document(const std::string& text) const {
    if (text.size() > largest_file) {
      fail(YAML::Mark::null_mark(), "is larger than a megabyte, which is no configuration");
    }
    YAML::Node first;
    DocumentCounter documents;
    try {
      first = YAML::Load(text);
      // Not LoadAll: some texts that are not YAML it reads for ever.
      std::istringstream stream(text);
      YAML::Parser parser(stream);
      for (int i = 0; i < 2; ++i) parser.HandleNextDocument(documents);
    } catch (const YAML::Exception& error) {
      fail(error.mark, fmt::format("not YAML: {}", error.msg));
    }
    if (first.IsNull()) fail(YAML::Mark::null_mark(), "is empty, expected keys and values");
    if (documents.count > 1) fail(documents.last, "a second document, expected one");
    if (!first.IsMap()) {
      fail(first, fmt::format("expected keys and values at the top, got {}", described(first)));
    }
    return first;
  }

  [[noreturn]] void unknown(const YAML::Node& node, const std::string& what,
                            const std::vector<std::string_view>& candidates) const {
    fail(node, fmt::format("unknown {} {}; the nearest known one is \"{}\" (known: {})", what,
                           described(node), nearest(node.Scalar(), candidates),
                           fmt::join(candidates, ", ")));
  }

  /// Calls use(key, value) for every pair of a map; keys are texts, each there once.
  template <typename Use>
  void for_each(const YAML::Node& map, Use&& use) const {
    std::vector<std::string> seen;
    for (const auto& pair : map) {
      if (!pair.first.IsScalar()) {
        fail(pair.first, fmt::format("expected a key, got {}", described(pair.first)));
      }
      check_new(seen, pair.first, pair.first.Scalar());
      use(pair.first, pair.second);
    }
  }

  void check_new(std::vector<std::string>& seen, const YAML::Node& node,
                 const std::string& key) const {
    if (std::find(seen.begin(), seen.end(), key) != seen.end()) {
      fail(node, fmt::format("key \"{}\" is there twice", key));
    }
    seen.push_back(key);
  }

  /// A single value of a kind.
  Setting setting(std::string_view key, Kind kind, const YAML::Node& node) const {
    Setting result{std::string(key), node.IsScalar() ? node.Scalar() : "", place_of(node.Mark())};
    bool good = node.IsScalar();
    const bool is_quoted = node.IsDefined() && node.Tag() == "!";
    if (good && kind != Kind::text && is_quoted && result.value != "auto") good = false;
    if (good && kind == Kind::integer) good = is_integer(result.value);
    if (good && kind == Kind::number) good = is_number(result.value);
    if (good && kind == Kind::number_or_auto) {
      good = is_number(result.value) || result.value == "auto";
    }
    if (good && kind == Kind::boolean) {
      bool value = false;
      good = YAML::convert<bool>::decode(node, value);
      result.value = value ? "true" : "false";
    }
    if (!good) {
      fail(node, fmt::format("{}: expected {}, got {}{}", key, name_of(kind), described(node),
                             is_quoted ? ", a text because of its quotes" : ""));
    }
    return result;
  }

 private:
  [[noreturn]] void fail(const YAML::Mark& mark, const std::string& message) const {
    throw tessera::error::InvalidArgument(at_place(file_, place_of(mark)) + message);
  }

  const std::string& file_;
};

std::vector<std::string_view> names(Section section) {
  std::vector<std::string_view> result;
  for (const Key& key : known_keys()) {
    if (key.section == section) result.push_back(key.name);
  }
  return result;
}

std::string_view name_of(Section section) {
  return section == Section::dataset ? "key of a data set" : "key of a solver";
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
  EntryReader(const Reader& reader, Section section) : reader_(reader), section_(section) {}

  std::vector<Entry> entries(const YAML::Node& list) const {
    if (!list.IsSequence() || list.size() == 0) {
      reader_.fail(list, fmt::format("expected a list such as \"- {}:\" with parameters, got {}",
                                     known().front(), described(list)));
    }
    std::vector<Entry> result;
    for (const YAML::Node& item : list) result.push_back(entry(item));
    return result;
  }

 private:
  std::vector<std::string_view> known() const {
    if (section_ == Section::dataset) return {"highres_color_image"};
    return {"PnP", "DPIR"};
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
    for (const std::string_view name : known()) {
      if (node.Scalar() != name) continue;
      return section_ == Section::dataset ? std::string(name) : name == "PnP" ? "pnp" : "dpir";
    }
    reader_.unknown(node, section_ == Section::dataset ? "data set" : "solver", known());
  }

  std::vector<Axis> axes(const YAML::Node& parameters) const {
    std::vector<Axis> result;
    std::vector<std::string> seen;
    reader_.for_each(parameters, [&](const YAML::Node& joined, const YAML::Node& value) {
      std::vector<const Key*> keys;
      for (const std::string& word : split(joined.Scalar())) {
        const Key* key = find_key(section_, word);
        if (key == nullptr) unknown_key(joined, word);
        reader_.check_new(seen, joined, key->option.empty() ? word : std::string(key->option));
        keys.push_back(key);
      }
      result.push_back(keys.size() == 1 ? single(*keys.front(), value) : zipped(keys, value));
    });
    return result;
  }

  [[noreturn]] void unknown_key(const YAML::Node& joined, const std::string& word) const {
    const std::vector<std::string_view> candidates = names(section_);
    reader_.fail(joined, fmt::format("unknown {} \"{}\"; the nearest known one is \"{}\"",
                                     name_of(section_), word, nearest(word, candidates)));
  }

  /// A value, or a list of alternatives.
  Axis single(const Key& key, const YAML::Node& value) const {
    if (!value.IsSequence()) return {{{reader_.setting(key.name, key.kind, value)}}};
    if (value.size() == 0) {
      reader_.fail(value, fmt::format("{}: an empty list leaves nothing to run", key.name));
    }
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

  const Reader& reader_;
  Section section_;
};

/// A name or a list of names: what the published benchmark writes under objective.
void check_objective(const Reader& reader, const YAML::Node& value) {
  const auto check = [&](const YAML::Node& name) {
    const std::vector<std::string_view> known = {"reconstruction_objective"};
    if (!name.IsScalar()) {
      reader.fail(name, fmt::format("objective: expected a name, got {}", described(name)));
    }
    if (name.Scalar() != known.front()) reader.unknown(name, "objective", known);
  };
  if (!value.IsSequence()) return check(value);
  for (const YAML::Node& name : value) check(name);
}

std::vector<std::pair<std::string, std::string>> texts(const Reader& reader, const std::string& key,
                                                       const YAML::Node& map) {
  if (!map.IsMap()) {
    reader.fail(map, fmt::format("{}: expected keys and values, got {}", key, described(map)));
  }
  std::vector<std::pair<std::string, std::string>> result;
  reader.for_each(map, [&](const YAML::Node& name, const YAML::Node& value) {
    result.emplace_back(name.Scalar(), reader.setting(name.Scalar(), Kind::text, value).value);
  });
  return result;
}

}  // namespace

GridConfig parse_config(const std::string& text, const std::string& file) {
  const Reader reader(file);
  GridConfig config;
  config.file = file;
  reader.for_each(reader.document(text), [&](const YAML::Node& node, const YAML::Node& value) {
    const std::string& key = node.Scalar();
    if (key == "objective") {
      check_objective(reader, value);
    } else if (key == "dataset") {
      config.datasets = EntryReader(reader, Section::dataset).entries(value);
    } else if (key == "solver") {
      config.solvers = EntryReader(reader, Section::solver).entries(value);
    } else if (key == "max-runs") {
      config.max_runs = reader.setting(key, Kind::integer, value);
      config.max_runs->key = "n_iter";
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

ParallelConfig parse_parallel_config(const std::string& text, const std::string& file) {
  const Reader reader(file);
  ParallelConfig config;
  reader.for_each(reader.document(text), [&](const YAML::Node& node, const YAML::Node& value) {
    const std::string& key = node.Scalar();
    if (key == "backend") {
      const std::string backend = reader.setting(key, Kind::text, value).value;
      if (backend != "submitit" && backend != "slurm") {
        reader.unknown(value, "backend", {"submitit", "slurm"});
      }
    } else if (key == "slurm_time") {
      config.time = reader.setting(key, Kind::text, value).value;
    } else if (key == "slurm_launcher") {
      config.launcher = reader.setting(key, Kind::text, value).value;
    } else if (key == "slurm_additional_parameters") {
      config.parameters = texts(reader, key, value);
    } else if (key == "slurm_stderr_to_stdout") {
      reader.setting(key, Kind::boolean, value);  // the scripts write one file anyway
    } else if (key == "slurm_setup") {
      if (!value.IsSequence()) {
        reader.fail(value, fmt::format("slurm_setup: expected a list of shell lines, got {}",
                                       described(value)));
      }
      for (const YAML::Node& line : value) {
        config.setup.push_back(reader.setting(key, Kind::text, line).value);
      }
    } else {
      reader.unknown(node, "key",
                     {"backend", "slurm_time", "slurm_additional_parameters", "slurm_setup",
                      "slurm_launcher", "slurm_stderr_to_stdout"});
    }
  });
  return config;
}
