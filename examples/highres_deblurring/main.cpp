// SPDX-License-Identifier: BSD-3-Clause
#include <fmt/format.h>

#include <cstdio>
#include <optional>

#include "grid/folder.hpp"
#include "grid_program.hpp"
#include "options.hpp"
#include "parts.hpp"
#include "run.hpp"
#include "settings/program.hpp"
#include "tessera/comm/host.hpp"
#include "tessera/comm/run_guarded.hpp"
#include "tessera/comm/self.hpp"
#ifdef TESSERA_EXAMPLE_MPI
#include "tessera/comm/mpi.hpp"
#endif

namespace {

const std::string& name() {
  return command_line().name;
}

/// How the run would scale.
int plan(Options& options) {
  fmt::print("{}", plan_run(options));
  return 0;
}

/// The rows of a grid.
int run_rows(const Options& options) {
  HighresProgram program;
  return grid::run_grid(program, {.config = options.config,
                                  .out = options.out,
                                  .dry_run = options.dry_run,
                                  .submit = options.submit.has_value(),
                                  .parallel_config = options.parallel_config,
                                  .launcher = options.mpiexec,
                                  .quiet = options.quiet,
                                  .given = options.given});
}

/// Grids, plans, --help: without MPI, because these are done where none can be launched.
int local_main(int argc, char** argv) {
  Options options;
  if (const auto code = settings::parse(command_line(), argc, argv, true, options)) return *code;
  if (!options.config.empty()) return run_rows(options);
  return tessera::run_guarded(*tessera::self_communicator(), name(), [&] { return plan(options); });
}

/// One run into options.out, which nothing else may write to at the same time.
int restore(Options& options, const tessera::CommunicatorPtr& world) {
  std::optional<grid::FolderLock> lock;
  tessera::guarded(*world, name(), [&] {
    if (!world->is_root()) return;
    grid::prepare_folder(options.out);
    lock.emplace(options.out);
  });
  const restoration::Outcome outcome = run(options, world);
  const restoration::Telling telling = telling_of(options, outcome);
  if (!outcome.interrupted) restoration::write_outcome(telling, outcome, *world);
  return restoration::print_outcome(telling, outcome, world->is_root());
}

/// One run, or a report over several, on the ranks of `world`.
int run_on(const tessera::CommunicatorPtr& world, int argc, char** argv) {
  Options options;
  const auto code = settings::parse_together(command_line(), argc, argv, *world, options);
  if (code) return *code;
  if (!options.config.empty()) {
    if (world->is_root()) {
      fmt::print(stderr,
                 "{}: --config starts the ranks of each row itself: run it without mpiexec or "
                 "srun\n",
                 name());
    }
    return 1;
  }
  if (options.plan) return world->is_root() ? plan(options) : 0;
  if (!options.report.empty()) {
    if (world->is_root()) restoration::write_report_on(telling_of(options, {}), options.report);
    return 0;
  }
  try {
    return restore(options, world);
  } catch (...) {
    restoration::rethrow_with_advice(advice_on_memory(options));
  }
}

int run_main(int argc, char** argv) {
#ifdef TESSERA_EXAMPLE_MPI
  return tessera::run_with_mpi(argc, argv, name(),
                               [&](const auto& world) { return run_on(world, argc, argv); });
#else
  const tessera::CommunicatorPtr world = tessera::self_communicator();
  return tessera::run_guarded(*world, name(), [&] { return run_on(world, argc, argv); });
#endif
}

}  // namespace

int main(int argc, char** argv) {
  return settings::run_program(name(), [&] {
    bool needs_no_mpi = false;
    for (const char* option : {"--config", "--plan", "--help", "-h", "--version"}) {
      needs_no_mpi = needs_no_mpi || settings::has_option(argc, argv, option);
    }
    return needs_no_mpi && !tessera::launched_by_mpi() ? local_main(argc, argv)
                                                       : run_main(argc, argv);
  });
}
