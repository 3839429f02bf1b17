// SPDX-License-Identifier: BSD-3-Clause
#include "grid/rows.hpp"

#include <ATen/Context.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <optional>
#include <string_view>

#include "settings/numbers.hpp"
#include "settings/plain_text.hpp"
#include "tessera/comm/host.hpp"
#include "tessera/core/error.hpp"
#include "tessera/run/memory.hpp"

namespace grid {

using namespace settings;
using tessera::error::InvalidArgument;

namespace {

constexpr int most_tasks = 1 << 20;
constexpr int most_ranks_per_core = 8;

/// A positive count from a row; `key` may be missing.
int count(const std::string& file, const Settings& row, const std::string& key) {
  const Setting* setting = find(row, key);
  if (setting == nullptr) return 1;
  const std::optional<std::int64_t> value = to_integer(setting->value);
  if (!value || *value < 1 || *value > most_tasks) {
    throw InvalidArgument(fmt::format("{}{}: expected 1 to {}, got {}",
                                      at_place(file, setting->place), key, most_tasks,
                                      printable(setting->value)));
  }
  return static_cast<int>(*value);
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

bool is_given(const Orders& orders, const std::string& option) {
  return std::any_of(orders.given.begin(), orders.given.end(), [&](const auto& arguments) {
    return without_negation(arguments.front()) == without_negation(option);
  });
}

/// The last one given; the file's if none is.
std::string solver_of(const GridRow& row, const Orders& orders) {
  std::string solver = find(row.settings, "solver")->value;
  for (const std::vector<std::string>& arguments : orders.given) {
    if (arguments.front() == "--solver") solver = arguments.back();
  }
  return solver;
}

/// The file's settings that stay, then the command line as far as the row's solver knows it, then
/// what both left to the target.
std::vector<std::string> arguments_of(const Program& program, const GridRow& row,
                                      const Orders& orders, const Target& target) {
  std::vector<std::string> result;
  const auto has = [&](const std::string& option) {
    return std::find(result.begin(), result.end(), option) != result.end();
  };
  const auto append = [&](const std::vector<std::string>& arguments) {
    result.insert(result.end(), arguments.begin(), arguments.end());
  };
  for (const Setting& setting : row.settings) {
    const std::vector<std::string> arguments = to_arguments(setting, program.vocabulary());
    if (!is_given(orders, option_of(arguments))) append(arguments);
  }
  const std::string solver = solver_of(row, orders);
  for (const std::vector<std::string>& arguments : orders.given) {
    if (program.knows(solver, arguments.front())) append(arguments);
  }
  if (!has("--device")) {
    const bool on_gpus = row.gpus_per_node > 0 && (target.is_cluster || target.machine.gpus > 0);
    append({"--device", on_gpus ? "cuda" : "cpu"});
  }
  for (const std::string& name : program.flags_of_several_ranks()) {
    const std::string option = fmt::format("--{}", name);
    const std::string negation = fmt::format("--no-{}", name);
    if (!has(option) && !has(negation)) append({row.ranks() > 1 ? option : negation});
  }
  if (!has("--threads")) {
    const Machine& machine = target.machine;
    const int share =
        machine.threads > 0 ? machine.threads : std::max(1, machine.cores / row.ranks());
    append({"--threads", fmt::format("{}", target.is_cluster ? target.threads : share)});
  }
  return result;
}

/// The setting of the row's file that a message is about; nullptr: none, or the command line's.
const Setting* subject_of(const Vocabulary& vocabulary, const Settings& row, const Orders& orders,
                          const std::string& message) {
  const std::string option = message.substr(0, message.find_first_of(": "));
  if (is_given(orders, option)) return nullptr;
  for (const Setting& setting : row) {
    if (option_of(to_arguments(setting, vocabulary)) == option) return &setting;
  }
  return nullptr;
}

/// The program's complaint about a row, with the place in the grid's file.
std::string located(const std::string& file, const GridRow& row, std::size_t number,
                    const Setting* setting, const std::string& message) {
  const Place place = setting != nullptr     ? setting->place
                      : row.settings.empty() ? Place{}
                                             : row.settings.front().place;
  return fmt::format("{}{}row {} of the grid: {}", at_place(file, place),
                     setting != nullptr ? setting->key + ", " : "", number, message);
}

/// Names of files that would not come back from a script or from summary.json as they were.
void check_arguments(const GridRow& row) {
  const std::vector<std::string>& arguments = row.run.arguments;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    check_line(i > 0 && arguments[i - 1].starts_with("--") ? arguments[i - 1] : "a row",
               arguments[i]);
  }
}

/// What the rows are told beside what their results depend on.
std::vector<std::string> switches_of(const Program& program, const Orders& orders) {
  std::vector<std::string> switches = program.switches();
  for (const std::vector<std::string>& given : orders.given) {
    if (program.is_switch(given.front())) {
      switches.insert(switches.end(), given.begin(), given.end());
    }
  }
  return switches;
}

std::string gigabytes(double bytes) {
  return fmt::format("{:.1f} GB", bytes * 1e-9);
}

}  // namespace

std::vector<std::string> GridRow::arguments() const {
  std::vector<std::string> result = run.arguments;
  result.emplace_back("--out");
  result.push_back(std::filesystem::absolute(out).lexically_normal().string());
  result.insert(result.end(), switches.begin(), switches.end());
  return result;
}

Machine this_machine() {
  Machine machine;
  machine.cores = tessera::usable_cores();
  machine.threads = tessera::threads_asked_for().value_or(0);
  if (at::globalContext().hasCUDA()) {
    machine.gpus = static_cast<int>(at::detail::getCUDAHooks().getNumGPUs());
  }
  machine.available_bytes = tessera::memory_available_to_host();
  return machine;
}

int gpus_of(const std::string& gres) {
  if (gres.empty() || gres == "none") return 0;
  if (gres == "gpu") return 1;
  const auto refuse = [&] {
    throw InvalidArgument(
        fmt::format("slurm_gres: expected gpu:COUNT or gpu:TYPE:COUNT, got {}", printable(gres)));
  };
  if (!gres.starts_with("gpu:")) refuse();
  const std::size_t colon = gres.rfind(':');
  const std::string type = colon > 3 ? gres.substr(4, colon - 4) : "any";
  const bool is_type = !type.empty() && std::all_of(type.begin(), type.end(), [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-' || c == '.';
  });
  const std::optional<std::int64_t> count = to_integer(std::string_view(gres).substr(colon + 1));
  if (!is_type || !count || *count < 0 || *count > most_tasks) refuse();
  return static_cast<int>(*count);
}

std::string obstacle(const GridRow& row, const RunPlan& plan, const Machine& machine) {
  const int ranks = row.ranks();
  if (row.run.device == "cuda") {
    if (ranks <= machine.gpus) return "";
    return fmt::format("needs {} GPUs, one per rank; this machine has {}", ranks, machine.gpus);
  }
  if (ranks > most_ranks_per_core * machine.cores) {
    return fmt::format("needs {} ranks; more than {} per core are not started here ({} cores)",
                       ranks, most_ranks_per_core, machine.cores);
  }
  const double needed = plan.bytes_per_rank * ranks;
  if (machine.available_bytes > 0 && needed > machine.available_bytes) {
    return fmt::format("needs about {} of memory ({} ranks x {}); {} are available",
                       gigabytes(needed), ranks, gigabytes(plan.bytes_per_rank),
                       gigabytes(machine.available_bytes));
  }
  return "";
}

Settings resolved(const GridRow& row, const Vocabulary& vocabulary) {
  const std::vector<std::string>& arguments = row.run.arguments;
  Settings settings;
  for (const char* name : {"problem", "solver", "repetitions"}) {
    const auto found = std::find(arguments.begin(), arguments.end(), std::string("--") + name);
    if (found != arguments.end()) settings.push_back({name, *(found + 1), {}});
  }
  for (const Key& key : vocabulary.keys) {
    if (key.is_alias) continue;
    if (key.option.empty()) {
      if (const Setting* setting = find(row.settings, key.name)) settings.push_back(*setting);
      continue;
    }
    const auto found = std::find_if(arguments.begin(), arguments.end(), [&](const auto& argument) {
      return without_negation(argument) == key.option;
    });
    if (found == arguments.end()) continue;
    const bool is_flag = key.kind == Kind::boolean;
    settings.push_back(
        {key.name, is_flag ? (*found == key.option ? "true" : "false") : *(found + 1), {}});
  }
  return settings;
}

std::vector<GridRow> make_rows(const Program& program, const GridConfig& config,
                               const Orders& orders, const Target& target) {
  const Vocabulary& vocabulary = program.vocabulary();
  check_line("--out", std::filesystem::absolute(orders.out).string());
  std::vector<GridRow> rows;
  std::vector<Settings> settings_in_full;
  std::vector<int> ranks;
  for (const Settings& settings : expand(config, vocabulary)) {
    GridRow row;
    row.settings = settings;
    set_layout(config.file, row);
    try {
      row.run = program.understand(arguments_of(program, row, orders, target));
      check_arguments(row);
    } catch (const InvalidArgument& error) {
      throw InvalidArgument(located(config.file, row, rows.size() + 1,
                                    subject_of(vocabulary, row.settings, orders, error.what()),
                                    error.what()));
    }
    settings_in_full.push_back(resolved(row, vocabulary));
    ranks.push_back(row.ranks());
    rows.push_back(std::move(row));
  }
  const std::vector<std::string> names = row_names(program, settings_in_full, ranks);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    rows[i].name = names[i];
    rows[i].out = (std::filesystem::path(orders.out) / names[i]).string();
    rows[i].switches = switches_of(program, orders);
  }
  return rows;
}

}  // namespace grid
