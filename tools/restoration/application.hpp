// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "grid/folder.hpp"
#include "grid/grid.hpp"
#include "restoration/memory_need.hpp"
#include "restoration/on_ranks.hpp"
#include "restoration/outcome.hpp"
#include "restoration/run_settings.hpp"
#include "settings/command_line.hpp"
#include "settings/program.hpp"
#include "tessera/comm/host.hpp"
#include "tessera/comm/run_guarded.hpp"
#include "tessera/comm/self.hpp"

namespace restoration {

/// A program that restores images, from its command line to its exit code: one run on all ranks, a
/// grid of runs, a report over earlier ones, or a plan. Options derive from RunSettings and Parsed.
template <typename Options>
class Application {
 public:
  /// What is the program's own.
  struct Parts {
    /// Restores the image. Collective: every rank calls it; the outcome is the same on all of them,
    /// except for the measurements. Fills in what the options left open.
    std::function<Outcome(Options&, const tessera::CommunicatorPtr&)> run;
    std::function<Telling(const Options&, const Outcome&)> telling;
    /// What to give for a run that needs less memory.
    std::function<std::string(const Options&)> advice_on_memory;
    std::function<int(const grid::Orders&)> run_grid;
    /// Asked for by an option; returns the text to print. May be empty.
    std::function<bool(const Options&)> wants_plan = {};
    std::function<std::string(Options&)> plan = {};
  };

  Application(const settings::Program<Options>& program, Parts parts)
      : program_(program), parts_(std::move(parts)) {}

  int main(int argc, char** argv) const {
    return settings::run_program(program_.name, [&] {
      bool needs_no_mpi = false;
      for (const char* option : {"--config", "--plan", "--help", "-h", "--version"}) {
        needs_no_mpi = needs_no_mpi || settings::has_option(argc, argv, option);
      }
      return needs_no_mpi && !tessera::launched_by_mpi() ? local_main(argc, argv)
                                                         : run_main(argc, argv);
    });
  }

 private:
  bool wants_plan(const Options& options) const {
    return parts_.wants_plan && parts_.wants_plan(options);
  }

  int plan(Options& options) const {
    fmt::print("{}", parts_.plan(options));
    return 0;
  }

  /// Grids, plans, --help: without MPI, because these are done where none can be launched.
  int local_main(int argc, char** argv) const {
    Options options;
    if (const auto code = settings::parse(program_, argc, argv, true, options)) return *code;
    if (!options.config.empty()) {
      return parts_.run_grid({.config = options.config,
                              .out = options.out,
                              .dry_run = options.dry_run,
                              .submit = options.submit.has_value(),
                              .parallel_config = options.parallel_config,
                              .launcher = options.mpiexec,
                              .quiet = options.quiet,
                              .given = options.given});
    }
    return tessera::run_guarded(*tessera::self_communicator(), program_.name,
                                [&] { return plan(options); });
  }

  /// One run into options.out, which nothing else may write to at the same time.
  int restore(Options& options, const tessera::CommunicatorPtr& world) const {
    std::optional<grid::FolderLock> lock;
    tessera::guarded(*world, program_.name, [&] {
      if (!world->is_root()) return;
      grid::prepare_folder(options.out);
      lock.emplace(options.out);
    });
    const Outcome outcome = parts_.run(options, world);
    const Telling telling = parts_.telling(options, outcome);
    if (!outcome.interrupted) write_outcome(telling, outcome, *world);
    return print_outcome(telling, outcome, world->is_root());
  }

  /// One run, or a report over several, on the ranks of `world`.
  int run_on(const tessera::CommunicatorPtr& world, int argc, char** argv) const {
    Options options;
    if (const auto code = settings::parse_together(program_, argc, argv, *world, options)) {
      return *code;
    }
    if (!options.config.empty()) {
      if (world->is_root()) {
        fmt::print(stderr,
                   "{}: --config starts the ranks of each row itself: run it without mpiexec or "
                   "srun\n",
                   program_.name);
      }
      return 1;
    }
    if (wants_plan(options)) return world->is_root() ? plan(options) : 0;
    if (!options.report.empty()) {
      if (world->is_root()) write_report_on(parts_.telling(options, {}), options.report);
      return 0;
    }
    try {
      return restore(options, world);
    } catch (...) {
      rethrow_with_advice(parts_.advice_on_memory(options));
    }
  }

  int run_main(int argc, char** argv) const {
    return run_on_ranks(argc, argv, program_.name,
                        [&](const auto& world) { return run_on(world, argc, argv); });
  }

  const settings::Program<Options>& program_;
  Parts parts_;
};

}  // namespace restoration
