#include "grid_rows.hpp"

#include <ATen/Context.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <thread>

#include "tessera/core/error.hpp"

using tessera::error::InvalidArgument;

namespace {

constexpr int most_tasks = 1 << 20;

/// A positive count from a row; `key` may be missing.
int count(const std::string& file, const Settings& row, const std::string& key) {
  const Setting* setting = find(row, key);
  if (setting == nullptr) return 1;
  int value = 0;
  const std::string& text = setting->value;
  const auto [stop, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc() || value < 1 || value > most_tasks) {
    throw InvalidArgument(fmt::format("{}{}: expected 1 to {}, got {}",
                                      at_place(file, setting->place), key, most_tasks, text));
  }
  return value;
}

/// Nodes, tasks and GPUs of a row, which must fit each other.
void set_layout(const std::string& file, GridRow& row) {
  row.nodes = count(file, row.settings, "slurm_nodes");
  row.tasks_per_node = count(file, row.settings, "slurm_ntasks_per_node");
  if (row.nodes > most_tasks / row.tasks_per_node) {
    throw InvalidArgument(fmt::format("{}: {} nodes with {} tasks each are too many", file,
                                      row.nodes, row.tasks_per_node));
  }
  const Setting* gres = find(row.settings, "slurm_gres");
  if (gres == nullptr) return;
  try {
    row.gpus_per_node = gpus_of(gres->value);
  } catch (const InvalidArgument& error) {
    throw InvalidArgument(at_place(file, gres->place) + error.what());
  }
  if (row.gpus_per_node == 0 || row.gpus_per_node == row.tasks_per_node) return;
  throw InvalidArgument(fmt::format(
      "{}slurm_gres {} and slurm_ntasks_per_node {} do not fit: every task has a GPU of its own, "
      "so tasks per node must equal GPUs per node, and tasks per node x nodes ({} x {} = {} ranks) "
      "the GPUs in all ({} x {} = {})",
      at_place(file, gres->place), gres->value, row.tasks_per_node, row.tasks_per_node, row.nodes,
      row.ranks(), row.gpus_per_node, row.nodes, row.gpus_per_node * row.nodes));
}

std::string option_of(const std::vector<std::string>& arguments) {
  return arguments.empty() ? std::string() : arguments.front();
}

/// "--no-distribute-physics" as "--distribute-physics".
std::string without_negation(const std::string& option) {
  return option.starts_with("--no-") ? "--" + option.substr(5) : option;
}

bool is_given(const Options& command_line, const std::string& option) {
  return std::any_of(command_line.given.begin(), command_line.given.end(),
                     [&](const auto& arguments) {
                       return without_negation(arguments.front()) == without_negation(option);
                     });
}

/// The file's settings that stay, then the command line, then what both left to the target.
std::vector<std::string> arguments_of(const GridRow& row, const Options& command_line,
                                      const Target& target) {
  std::vector<std::string> result;
  const auto has = [&](const std::string& option) {
    return std::find(result.begin(), result.end(), option) != result.end();
  };
  const auto append = [&](const std::vector<std::string>& arguments) {
    result.insert(result.end(), arguments.begin(), arguments.end());
  };
  for (const Setting& setting : row.settings) {
    const std::vector<std::string> arguments = to_arguments(setting);
    if (!is_given(command_line, option_of(arguments))) append(arguments);
  }
  for (const std::vector<std::string>& arguments : command_line.given) append(arguments);
  if (!has("--device")) {
    const bool on_gpus = row.gpus_per_node > 0 && (target.is_cluster || target.machine.gpus > 0);
    append({"--device", on_gpus ? "cuda" : "cpu"});
  }
  for (const char* name : {"distribute-physics", "distribute-denoiser"}) {
    const std::string option = fmt::format("--{}", name);
    const std::string negation = fmt::format("--no-{}", name);
    if (!has(option) && !has(negation)) append({row.ranks() > 1 ? option : negation});
  }
  if (!has("--threads")) {
    const int share = std::max(1, target.machine.cores / row.ranks());
    append({"--threads", fmt::format("{}", target.is_cluster ? target.threads : share)});
  }
  return result;
}

/// Where the row's file set the option that a message is about.
Place place_of(const Settings& row, const std::string& message) {
  for (const Setting& setting : row) {
    const std::string option = option_of(to_arguments(setting));
    if (!option.empty() && message.starts_with(option)) return setting.place;
  }
  return row.empty() ? Place{} : row.front().place;
}

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

/// Keys whose values differ among the rows; those of the layout are in the names already.
std::vector<std::string> varying_keys(const std::vector<Settings>& rows) {
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
  std::erase(keys, "solver");
  std::erase(keys, "denoiser");
  std::erase(keys, "prior");
  return keys;
}

/// What the rows are told beside what their results depend on.
std::vector<std::string> switches_of(const Options& command_line) {
  std::vector<std::string> switches = {"--no-report"};  // the grid writes one of all rows
  for (const std::vector<std::string>& given : command_line.given) {
    const std::string& option = given.front();
    if (option == "--quiet" || option == "--resume" || option == "--checkpoint-every") {
      switches.insert(switches.end(), given.begin(), given.end());
    }
  }
  return switches;
}

bool is_unique(const std::vector<std::string>& names, const std::string& name) {
  return std::count(names.begin(), names.end(), name) == 1;
}

}  // namespace

std::vector<std::string> GridRow::arguments() const {
  std::vector<std::string> result = options.arguments;
  result.emplace_back("--out");
  result.push_back(std::filesystem::absolute(options.out).lexically_normal().string());
  result.insert(result.end(), switches.begin(), switches.end());
  return result;
}

Machine this_machine() {
  Machine machine;
  machine.cores = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  if (at::globalContext().hasCUDA()) {
    machine.gpus = static_cast<int>(at::detail::getCUDAHooks().getNumGPUs());
  }
  std::ifstream memory("/proc/meminfo");
  std::string word;
  while (memory >> word) {
    if (word != "MemAvailable:") continue;
    double kilobytes = 0;
    if (memory >> kilobytes) machine.available_bytes = kilobytes * 1024;
  }
  return machine;
}

int gpus_of(const std::string& gres) {
  if (gres.empty() || gres == "none") return 0;
  if (gres == "gpu") return 1;
  const std::size_t colon = gres.rfind(':');
  int value = 0;
  if (gres.starts_with("gpu:") && colon != std::string::npos) {
    const char* end = gres.data() + gres.size();
    const auto [stop, code] = std::from_chars(gres.data() + colon + 1, end, value);
    if (code == std::errc() && stop == end && value >= 0 && value <= most_tasks) return value;
  }
  throw InvalidArgument(
      fmt::format("slurm_gres: expected gpu:COUNT or gpu:TYPE:COUNT, got \"{}\"", gres));
}

Settings resolved(const GridRow& row) {
  const std::vector<std::string>& arguments = row.options.arguments;
  Settings settings = {{"solver", row.options.solver, {}},
                       {"repetitions", fmt::format("{}", row.options.repetitions), {}}};
  for (const Key& key : known_keys()) {
    if (key.name == "receptive_field_size") continue;  // another name of overlap
    if (key.option.empty()) {
      if (const Setting* setting = find(row.settings, key.name)) settings.push_back(*setting);
      continue;
    }
    const auto found = std::find_if(arguments.begin(), arguments.end(), [&](const auto& argument) {
      return without_negation(argument) == key.option;
    });
    if (found == arguments.end()) continue;
    const bool is_flag = key.kind == Kind::boolean;
    settings.push_back({std::string(key.name),
                        is_flag ? (*found == key.option ? "true" : "false") : *(found + 1),
                        {}});
  }
  return settings;
}

std::vector<std::string> row_names(const std::vector<Settings>& rows,
                                   const std::vector<int>& ranks) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const bool is_red = value_of(rows[i], "prior", "pnp") == "red";
    const std::string method = is_red ? "red" : value_of(rows[i], "solver", "pnp");
    names.push_back(
        plain(fmt::format("{}-{}-{}-rank{}", method, value_of(rows[i], "denoiser", "drunet"),
                          ranks[i], ranks[i] == 1 ? "" : "s")));
  }
  for (const std::string& key : varying_keys(rows)) {
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

std::vector<GridRow> make_rows(const GridConfig& config, const Options& command_line,
                               const Target& target) {
  std::vector<GridRow> rows;
  std::vector<Settings> settings_in_full;
  std::vector<int> ranks;
  for (const Settings& settings : expand(config)) {
    GridRow row;
    row.settings = settings;
    set_layout(config.file, row);
    try {
      row.options = parse_arguments(arguments_of(row, command_line, target));
    } catch (const InvalidArgument& error) {
      throw InvalidArgument(fmt::format("{}row {} of the grid: {}",
                                        at_place(config.file, place_of(settings, error.what())),
                                        rows.size() + 1, error.what()));
    }
    settings_in_full.push_back(resolved(row));
    ranks.push_back(row.ranks());
    rows.push_back(std::move(row));
  }
  const std::vector<std::string> names = row_names(settings_in_full, ranks);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    rows[i].name = names[i];
    rows[i].options.out = (std::filesystem::path(command_line.out) / names[i]).string();
    rows[i].switches = switches_of(command_line);
  }
  return rows;
}
