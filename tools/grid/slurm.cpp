// SPDX-License-Identifier: BSD-3-Clause
#include "grid/slurm.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <sstream>

#include "grid/process.hpp"
#include "grid/slurm_values.hpp"
#include "settings/numbers.hpp"
#include "settings/plain_text.hpp"
#include "tessera/core/error.hpp"

namespace grid {

using namespace settings;
using tessera::error::InvalidArgument;

namespace {

std::string first_line(const std::string& text) {
  const std::size_t begin = text.find_first_not_of(" \n\t");
  if (begin == std::string::npos) return "nothing";
  return text.substr(begin, text.find('\n', begin) - begin);
}

/// The number that sbatch prints, alone or before ";cluster", in a line of its own among warnings.
std::string job_number(const std::string& output) {
  std::istringstream lines(output);
  std::string number;
  for (std::string line; std::getline(lines, line);) {
    const std::string word = line.substr(0, line.find(';'));
    if (to_unsigned(word)) number = word;
  }
  return number;
}

/// The file for a job's output, in which Slurm replaces %j and the like.
std::string output_pattern(const std::string& folder) {
  if (folder.find('\\') != std::string::npos) {
    throw InvalidArgument(fmt::format(
        "--out: Slurm cannot write into a folder with a backslash in its name, {}", folder));
  }
  std::string pattern;
  for (const char c : folder + "/output.txt") {
    pattern += c;
    if (c == '%') pattern += c;
  }
  return pattern;
}

}  // namespace

int threads_of(const ParallelConfig& parallel) {
  for (const auto& [name, value] : parallel.parameters) {
    if (with_dashes(name) == "cpus-per-task") return checked_cores("cpus-per-task", value);
  }
  return 0;
}

std::string batch_script(const GridRow& row, const ParallelConfig& parallel,
                         const std::string& program) {
  check_time("slurm_time", parallel.time);
  check_launcher(parallel.launcher);
  const std::string folder = std::filesystem::absolute(row.out).lexically_normal().string();
  check_line("--out", folder);
  std::string text = "#!/bin/bash\n" + directive("job-name", row.name) +
                     directive("nodes", fmt::format("{}", row.nodes)) +
                     directive("ntasks-per-node", fmt::format("{}", row.tasks_per_node));
  if (row.gpus_per_node > 0) {
    const std::string& gres = find(row.settings, "slurm_gres")->value;
    gpus_of(gres);
    text += directive("gres", gres);
  }
  text += directive("time", parallel.time);
  for (const auto& [name, value] : parallel.parameters) {
    check_parameter(name, value);
    text += directive(name, value);
  }
  text += directive("output", output_pattern(folder)) + "\n";
  for (const std::string& line : parallel.setup) {
    check_line("slurm_setup", line);
    text += line + "\n";
  }
  std::vector<std::string> command = {program};
  const std::vector<std::string> arguments = row.arguments();
  command.insert(command.end(), arguments.begin(), arguments.end());
  for (const std::string& argument : command) check_line("the command of a row", argument);
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
  const std::string job = job_number(output);
  if (job.empty()) {
    throw tessera::error::Io(
        fmt::format("sbatch printed no number of a job but {}", printable(first_line(output))));
  }
  return job;
}

bool is_queued(const std::string& job) {
  std::string output;
  if (job.empty() || capture_process({"squeue", "--noheader", "--jobs=" + job}, output) != 0) {
    return false;
  }
  return output.find_first_not_of(" \n\t") != std::string::npos;
}

}  // namespace grid
