// SPDX-License-Identifier: BSD-3-Clause
#include <fmt/format.h>

#include <cmath>
#include <cstdio>
#include <optional>
#include <string>
#include <vector>

#include "grid/folder.hpp"
#include "grid_program.hpp"
#include "options.hpp"
#include "output.hpp"
#include "rank_plan.hpp"
#include "restart.hpp"
#include "run.hpp"
#include "scaling.hpp"
#include "settings/program.hpp"
#include "settings/views.hpp"
#include "tessera/comm/agreement.hpp"
#include "tessera/comm/host.hpp"
#include "tessera/comm/run_guarded.hpp"
#include "tessera/comm/same_on_all_ranks.hpp"
#include "tessera/comm/self.hpp"
#include "tessera/report/report.hpp"
#ifdef TESSERA_EXAMPLE_MPI
#include "tessera/comm/mpi.hpp"
#endif

namespace {

/// "PSNR 33.21 dB, SSIM 0.9041", as far as they are defined.
std::string quality(const tessera::MetricsRow& row) {
  std::string text = fmt::format("PSNR {:.2f} dB", row.psnr);
  if (std::isfinite(row.ssim)) text += fmt::format(", SSIM {:.4f}", row.ssim);
  return text;
}

void print_outcome(const Options& options, const Outcome& outcome) {
  if (!outcome.tiling.empty()) fmt::print("{}\n", outcome.tiling);
  fmt::print("{} after {} iterations, {:.1f} s (set-up {:.1f} s): {}\n",
             options.prior == PriorKind::red ? settings::name_of(options.prior)
                                             : settings::name_of(options.solver),
             outcome.result.iterations, outcome.result.elapsed_s, outcome.setup_s,
             tessera::to_string(outcome.result.reason));
  const std::vector<tessera::MetricsRow>& rows = outcome.recorder->rows();
  if (!rows.empty()) fmt::print("{}\n", quality(rows.back()));
  fmt::print(
      "Results: {0}/preview.png, {0}/reconstruction.png, {0}/metrics.csv, {0}/summary.json{1}\n",
      options.out, options.no_report ? "" : fmt::format(", {}/report.html", options.out));
}

void print_interruption(const Options& options, const Outcome& outcome) {
  fmt::print(stderr,
             "highres_deblurring: stopped by a signal after iteration {}; the same command with "
             "--resume goes on from {}\n",
             outcome.result.iterations, checkpoint_path(options.out));
}

void print_divergence(const Options& options, const Outcome& outcome) {
  fmt::print(stderr,
             "highres_deblurring: iteration {} was not finite; {} holds the results of the {} "
             "before it\n",
             outcome.result.iterations + 1, options.out, outcome.result.iterations);
}

void report_on(const Options& options) {
  grid::prepare_folder(options.out);
  const std::string path = options.out + "/report.html";
  for (const std::string& note : tessera::write_report(path, options.report)) {
    fmt::print(stderr, "highres_deblurring: {}\n", note);
  }
  if (!options.quiet) fmt::print("Report: {}\n", path);
}

/// What the program is asked to do.
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

int refuse_grid_under_mpi(bool is_root) {
  if (is_root) {
    fmt::print(stderr,
               "highres_deblurring: --config starts the ranks of each row itself: run it "
               "without mpiexec or srun\n");
  }
  return 1;
}

/// Grids, plans, --help: without MPI, because these are done where none can be launched.
int local_main(int argc, char** argv) {
  Options options;
  if (const auto code = parse(argc, argv, true, options)) return *code;
  if (!options.config.empty()) return run_rows(options);
  return tessera::run_guarded(*tessera::self_communicator(), "highres_deblurring",
                              [&] { return plan(options); });
}

/// Reads the command line on every rank. If it ends the program on one, it ends it on all; all must
/// have been given the same.
std::optional<int> parse_together(int argc, char** argv, tessera::Communicator& world,
                                  Options& options) {
  const std::optional<int> mine = parse(argc, argv, world.is_root(), options);
  std::int64_t ending = mine ? 1 + *mine : 0;
  tessera::agree(world, "highres_deblurring: command line", nullptr, {&ending, 1});
  if (ending == 0) {
    tessera::same_on_all_ranks(world, "highres_deblurring",
                               settings::compared_values(table(), options));
    return std::nullopt;
  }
  if (world.is_root() && !mine)
    fmt::print(stderr, "highres_deblurring: the command line of another rank cannot be used\n");
  return static_cast<int>(ending - 1);
}

/// One run into options.out, which nothing else may write to at the same time.
int restore(Options& options, const tessera::CommunicatorPtr& world) {
  std::optional<grid::FolderLock> lock;
  tessera::guarded(*world, "highres_deblurring", [&] {
    if (!world->is_root()) return;
    grid::prepare_folder(options.out);
    lock.emplace(options.out);
  });
  const Outcome outcome = run(options, world);
  if (outcome.interrupted) {
    if (world->is_root()) print_interruption(options, outcome);
    return interrupted_code;
  }
  write_outcome(options, outcome, *world);
  if (world->is_root() && !options.quiet) print_outcome(options, outcome);
  if (outcome.result.reason != tessera::StopReason::not_finite) return 0;
  if (world->is_root()) print_divergence(options, outcome);
  return 1;
}

/// One run, or a report over several, on the ranks of `world`.
int run_on(const tessera::CommunicatorPtr& world, int argc, char** argv) {
  Options options;
  if (const auto code = parse_together(argc, argv, *world, options)) return *code;
  if (!options.config.empty()) return refuse_grid_under_mpi(world->is_root());
  if (options.plan) return world->is_root() ? plan(options) : 0;
  if (!options.report.empty()) {
    if (world->is_root()) report_on(options);
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
  return tessera::run_with_mpi(argc, argv, "highres_deblurring",
                               [&](const auto& world) { return run_on(world, argc, argv); });
#else
  const tessera::CommunicatorPtr world = tessera::self_communicator();
  return tessera::run_guarded(*world, "highres_deblurring",
                              [&] { return run_on(world, argc, argv); });
#endif
}

}  // namespace

int main(int argc, char** argv) {
  try {
    bool needs_no_mpi = false;
    for (const char* option : {"--config", "--plan", "--help", "-h", "--version"}) {
      needs_no_mpi = needs_no_mpi || settings::has_option(argc, argv, option);
    }
    return settings::after_printing(
        "highres_deblurring", needs_no_mpi && !tessera::launched_by_mpi() ? local_main(argc, argv)
                                                                          : run_main(argc, argv));
  } catch (const std::exception& error) {
    fmt::print(stderr, "highres_deblurring: {}\n", error.what());
  }
  return 1;
}
