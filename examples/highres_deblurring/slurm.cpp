#include "slurm.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <string_view>

#include "process.hpp"
#include "tessera/core/error.hpp"

using tessera::error::InvalidArgument;

namespace {

constexpr std::array<std::string_view, 8> chosen_by_grid = {
    "nodes", "ntasks", "ntasks-per-node", "gres", "gpus", "gpus-per-node", "output", "job-name"};

std::string first_line(const std::string& text) {
  const std::size_t begin = text.find_first_not_of(" \n\t");
  if (begin == std::string::npos) return "nothing";
  return text.substr(begin, text.find('\n', begin) - begin);
}

void check_line(const std::string& what, const std::string& text) {
  if (text.find_first_of("\n\r") == std::string::npos) return;
  throw InvalidArgument(fmt::format("{}: expected one line, got several", what));
}

void check_parameter(const std::string& name, const std::string& value) {
  const bool is_word = !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_';
  });
  if (!is_word) {
    throw InvalidArgument(fmt::format(
        "slurm_additional_parameters: \"{}\" is not the name of an option of sbatch", name));
  }
  if (std::find(chosen_by_grid.begin(), chosen_by_grid.end(), name) != chosen_by_grid.end()) {
    throw InvalidArgument(fmt::format(
        "slurm_additional_parameters: {} follows from the row of the grid, leave it out", name));
  }
  check_line("slurm_additional_parameters: " + name, value);
}

}  // namespace

int threads_of(const ParallelConfig& parallel) {
  for (const auto& [name, value] : parallel.parameters) {
    if (name == "cpus-per-task") return std::max(0, std::atoi(value.c_str()));
  }
  return 0;
}

std::string batch_script(const GridRow& row, const ParallelConfig& parallel,
                         const std::string& program) {
  check_line("slurm_time", parallel.time);
  check_line("slurm_launcher", parallel.launcher);
  const std::string folder = std::filesystem::absolute(row.options.out).lexically_normal().string();
  std::string text = fmt::format(
      "#!/bin/bash\n"
      "#SBATCH --job-name={}\n"
      "#SBATCH --nodes={}\n"
      "#SBATCH --ntasks-per-node={}\n",
      row.name, row.nodes, row.tasks_per_node);
  if (row.gpus_per_node > 0) {
    text += fmt::format("#SBATCH --gres={}\n", find(row.settings, "slurm_gres")->value);
  }
  text += fmt::format("#SBATCH --time={}\n", parallel.time);
  for (const auto& [name, value] : parallel.parameters) {
    check_parameter(name, value);
    text += fmt::format("#SBATCH --{}={}\n", name, value);
  }
  text += fmt::format("#SBATCH --output={}\n\n", shell_command({folder + "/output.txt"}));
  for (const std::string& line : parallel.setup) text += line + "\n";
  std::vector<std::string> command = {program};
  const std::vector<std::string> arguments = row.arguments();
  command.insert(command.end(), arguments.begin(), arguments.end());
  text += fmt::format("\nexec {} {}\n", parallel.launcher, shell_command(command));
  return text;
}

std::string submit(const std::string& script) {
  std::string output;
  const int code = capture_process({"sbatch", "--parsable", script}, output);
  if (code != 0) {
    throw tessera::error::Io(
        fmt::format("sbatch failed with exit code {}: {}", code, first_line(output)));
  }
  const std::string line = first_line(output);
  return line.substr(0, line.find(';'));  // "job;cluster" on federations
}

bool is_queued(const std::string& job) {
  std::string output;
  if (job.empty() || capture_process({"squeue", "--noheader", "--jobs=" + job}, output) != 0) {
    return false;
  }
  return output.find_first_not_of(" \n\t") != std::string::npos;
}
