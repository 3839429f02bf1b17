// SPDX-License-Identifier: BSD-3-Clause
#include "grid/grid.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>

#include "grid/folder.hpp"
#include "grid/inputs.hpp"
#include "grid/process.hpp"
#include "grid/rows.hpp"
#include "grid/slurm.hpp"
#include "grid/state.hpp"
#include "settings/plain_text.hpp"
#include "tessera/core/error.hpp"
#include "tessera/io/atomic_file.hpp"
#include "tessera/report/report.hpp"

namespace grid {

namespace fs = std::filesystem;
using tessera::error::Io;

namespace {

enum class State { done, found, submitted, queued, skipped, failed };

const char* name_of(State state) {
  switch (state) {
    case State::done:
      return "done";
    case State::found:
      return "done before";
    case State::submitted:
      return "submitted";
    case State::queued:
      return "queued";
    case State::skipped:
      return "skipped";
    case State::failed:
      return "failed";
  }
  return "";
}

/// What became of a row.
struct Status {
  State state = State::failed;
  std::string detail;
  std::optional<RowResult> result;
};

std::string program_path() {
  std::error_code failure;
  const fs::path path = fs::read_symlink("/proc/self/exe", failure);
  if (failure) throw Io("the path of this program is not known: /proc/self/exe cannot be read");
  return path.string();
}

/// The file as given, or below the folder of the program.
std::string find_config(const std::string& path) {
  if (fs::exists(path)) return path;
  const fs::path beside = fs::path(program_path()).parent_path() / path;
  return fs::path(path).is_relative() && fs::exists(beside) ? beside.string() : path;
}

std::string read_file(const std::string& path) {
  std::ifstream file(path);
  if (!file || fs::is_directory(path)) throw Io(fmt::format("{}: cannot be read", path));
  return {std::istreambuf_iterator<char>(file), {}};
}

/// What starts the ranks of a row on this machine; empty for a build without MPI.
std::vector<std::string> launcher(const Orders& orders, int ranks) {
#ifdef TESSERA_MPIEXEC
  std::vector<std::string> command;
  std::istringstream given(orders.launcher);
  for (std::string word; given >> word;) command.push_back(word);
  if (command.empty())
    command.emplace_back(fs::exists(TESSERA_MPIEXEC) ? TESSERA_MPIEXEC : "mpiexec");
  command.emplace_back(TESSERA_MPIEXEC_NUMPROC_FLAG);
  command.push_back(fmt::format("{}", ranks));
  return command;
#else
  (void)orders;
  (void)ranks;
  return {};
#endif
}

/// What a program said when it failed: its own sentence, or the last line.
std::string complaint(const std::string& program, const std::string& log) {
  std::ifstream file(log);
  std::string last;
  std::string own;
  for (std::string line; std::getline(file, line);) {
    if (line.find_first_not_of(" \t\r=") == std::string::npos) continue;
    last = line;
    const std::string name = program + ": ";
    if (line.starts_with(name) && !line.starts_with(name + "warning: ")) {
      own = line.substr(name.size());
    }
  }
  return !own.empty() ? own : !last.empty() ? last : "it printed nothing";
}

std::string outcome_of(const RowResult& result) {
  std::string text;
  if (std::isfinite(result.psnr)) text += fmt::format("PSNR {:.2f} dB", result.psnr);
  if (std::isfinite(result.time_s)) text += fmt::format(", {:.1f} s", result.time_s);
  return text;
}

/// The work on one grid.
class Grid {
 public:
  Grid(Program& program, const Orders& orders)
      : program_(program),
        orders_(orders),
        config_(read_config()),
        path_(program_path()),
        target_(read_target()),
        rows_(make_rows(program, config_, orders, target_)),
        digests_(program) {
    settings::check_line("the path of this program", path_);
    settings::check_line("--mpiexec", orders.launcher);
  }

  int run() {
    print_notices();
    if (orders_.dry_run) return describe();
    prepare_folder(orders_.out);
    const FolderLock lock(orders_.out);
    std::vector<Status> statuses;
    for (const GridRow& row : rows_) {
      statuses.push_back(guarded_status(row));
      announce(row, statuses.size(), statuses.back());
    }
    print_table(statuses);
    if (config_.html) report(statuses);
    return exit_code(statuses);
  }

 private:
  GridConfig read_config() const {
    const std::string path = find_config(orders_.config);
    return parse_config(read_file(path), path, program_.vocabulary());
  }

  Target read_target() {
    Target target{.is_cluster = orders_.submit, .machine = this_machine()};
    if (orders_.parallel_config.empty()) return target;
    const std::string path = find_config(orders_.parallel_config);
    parallel_ = parse_parallel_config(read_file(path), path);
    target.threads = threads_of(parallel_);
    return target;
  }

  void print_notices() const {
    fmt::print("Grid {}: {} row{}, results in {}\n", config_.file, rows_.size(),
               rows_.size() == 1 ? "" : "s", orders_.out);
    const auto any = [&](auto&& holds) { return std::any_of(rows_.begin(), rows_.end(), holds); };
    if (any([](const GridRow& row) { return row.gpus_per_node > 0 && row.run.device == "cpu"; })) {
      fmt::print(
          "Rows that ask for GPUs run their tasks on the CPU here, {}: their ranks share the {} "
          "cores.\n",
          target_.machine.gpus == 0 ? "as this machine has no usable GPU" : "as --device cpu says",
          target_.machine.cores);
    }
    if (any([&](const GridRow& row) {
          return !target_.is_cluster && row.ranks() > target_.machine.cores;
        })) {
      fmt::print("Some rows have more ranks than the {} cores: their times say little.\n",
                 target_.machine.cores);
    }
    std::set<std::string> told;
    for (const GridRow& row : rows_) {
      for (const std::string& notice : program_.notices(row.settings, row.run)) {
        if (told.insert(notice).second) fmt::print("{}\n", notice);
      }
    }
    std::fflush(stdout);
  }

  std::vector<std::string> command_of(const GridRow& row) const {
    std::vector<std::string> command = launcher(orders_, row.ranks());
    command.push_back(path_);
    const std::vector<std::string> arguments = row.arguments();
    command.insert(command.end(), arguments.begin(), arguments.end());
    return command;
  }

  /// Why the row cannot run, apart from failures: empty if it can.
  std::string obstacle_to(const GridRow& row, const RunPlan& plan) const {
    if (target_.is_cluster) return "";
#ifndef TESSERA_MPIEXEC
    if (row.ranks() > 1) return "needs several ranks; this program was built without MPI";
#endif
    return obstacle(row, plan, target_.machine);
  }

  int describe() {
    bool is_good = true;
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      const GridRow& row = rows_[i];
      fmt::print("\n[{}/{}] {}: {} rank{} on {}", i + 1, rows_.size(), row.name, row.ranks(),
                 row.ranks() == 1 ? "" : "s", row.run.device);
      try {
        describe(row);
      } catch (const std::exception& error) {
        is_good = false;
        fmt::print("\nwould fail: {}\n", error.what());
      }
    }
    return is_good ? 0 : 1;
  }

  void describe(const GridRow& row) {
    check_inputs(config_.file, row);
    const Standing earlier = standing(row, digests_);
    fmt::print("{}\n", earlier.result ? ", done before: would not run again" : "");
    if (!earlier.reason.empty()) fmt::print("a result is there, but {}\n", earlier.reason);
    const RunPlan plan = program_.plan(row.run, row.ranks());
    const std::string reason = obstacle_to(row, plan);
    if (!reason.empty()) fmt::print("skipped: {}\n", reason);
    fmt::print("{}\nwith measurements, weights and libraries: about {:.2f} GB per rank\n",
               plan.tiles, plan.bytes_per_rank * 1e-9);
    fmt::print("{}\n", target_.is_cluster ? batch_script(row, parallel_, path_)
                                          : shell_command(command_of(row)));
  }

  Status guarded_status(const GridRow& row) {
    try {
      return status(row);
    } catch (const std::exception& error) {
      return {State::failed, error.what(), {}};
    }
  }

  Status status(const GridRow& row) {
    check_inputs(config_.file, row);
    const Standing earlier = standing(row, digests_);
    if (earlier.result) return {State::found, "", earlier.result};
    if (!earlier.reason.empty()) {
      fmt::print("{}: a result is there, but {}: it becomes summary.previous.json\n", row.name,
                 earlier.reason);
    }
    const std::string reason = obstacle_to(row, program_.plan(row.run, row.ranks()));
    if (!reason.empty()) return {State::skipped, reason, {}};
    return target_.is_cluster ? submit_row(row) : run_row(row);
  }

  Status submit_row(const GridRow& row) {
    const std::string earlier = submitted_job(row);
    if (is_queued(earlier)) return {State::queued, fmt::format("job {}", earlier), {}};
    const std::string script = row.out + "/job.sh";
    const std::string text = batch_script(row, parallel_, path_);
    prepare_row(row, program_.vocabulary(),
                "sbatch " + shell_command({fs::absolute(script).string()}), digests_);
    tessera::AtomicFile file(script);
    file.write(text);
    file.commit();
    const std::string job = submit(script);
    remember_job(row, job);
    return {State::submitted, fmt::format("job {}", job), {}};
  }

  Status run_row(const GridRow& row) {
    const std::vector<std::string> command = command_of(row);
    prepare_row(row, program_.vocabulary(), shell_command(command), digests_);
    if (!orders_.quiet) {
      fmt::print("\n{}: {} rank{}, {} thread{} each\n", row.name, row.ranks(),
                 row.ranks() == 1 ? "" : "s", row.run.threads, row.run.threads == 1 ? "" : "s");
    }
    const std::string log = row.out + "/output.txt";
    const int code = run_process(command, log, !orders_.quiet);
    if (code != 0) {
      return {State::failed,
              fmt::format("exit code {}: {} (see {})", code, complaint(program_.name(), log), log),
              {}};
    }
    const Standing now = standing(row, digests_);
    if (now.result) return {State::done, "", now.result};
    return {State::failed,
            now.reason.empty()
                ? "ended without a complete summary.json"
                : fmt::format("ended, but its result does not count: {}", now.reason),
            {}};
  }

  void announce(const GridRow& row, std::size_t number, const Status& status) const {
    const std::string detail = status.result ? outcome_of(*status.result) : status.detail;
    fmt::print("[{}/{}] {}: {}{}{}\n", number, rows_.size(), row.name, name_of(status.state),
               detail.empty() ? "" : ", ", detail);
    std::fflush(stdout);
  }

  void print_table(const std::vector<Status>& statuses) const {
    std::size_t width = 3;
    for (const GridRow& row : rows_) width = std::max(width, row.name.size());
    fmt::print("\n{:<{}}  ranks  {:<11}  {:>8}  {:>8}\n", "row", width, "status", "PSNR dB",
               "time s");
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      const Status& status = statuses[i];
      fmt::print("{:<{}}  {:>5}  {:<11}", rows_[i].name, width, rows_[i].ranks(),
                 name_of(status.state));
      if (status.result) {
        fmt::print("  {:>8.2f}  {:>8.2f}\n", status.result->psnr, status.result->time_s);
      } else {
        fmt::print("  {}\n", status.detail);
      }
    }
  }

  /// One report of all rows that have a result.
  void report(const std::vector<Status>& statuses) const {
    std::vector<std::string> folders;
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      if (statuses[i].result) folders.push_back(rows_[i].out);
    }
    if (folders.empty()) return;
    const std::string path = orders_.out + "/report.html";
    for (const std::string& line : tessera::write_report(path, folders)) fmt::print("{}\n", line);
    fmt::print("Report: {}\n", path);
  }

  static int exit_code(const std::vector<Status>& statuses) {
    const auto count = [&](State state) {
      return std::count_if(statuses.begin(), statuses.end(),
                           [&](const Status& status) { return status.state == state; });
    };
    const auto total = static_cast<std::ptrdiff_t>(statuses.size());
    return count(State::failed) > 0 || count(State::skipped) == total ? 1 : 0;
  }

  Program& program_;
  const Orders& orders_;
  GridConfig config_;
  std::string path_;
  ParallelConfig parallel_;
  Target target_;
  std::vector<GridRow> rows_;
  InputDigests digests_;
};

}  // namespace

int run_grid(Program& program, const Orders& orders) {
  try {
    return Grid(program, orders).run();
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}: {}\n", program.name(), error.what());
  }
  return 1;
}

}  // namespace grid
