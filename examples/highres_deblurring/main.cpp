#include <fmt/format.h>

#include <optional>
#include <string>
#include <string_view>

#include "grid.hpp"
#include "options.hpp"
#include "output.hpp"
#include "parts.hpp"
#include "problem.hpp"
#include "restart.hpp"
#include "run.hpp"
#include "scaling.hpp"
#include "tessera/comm/agreement.hpp"
#include "tessera/comm/program.hpp"
#include "tessera/comm/self.hpp"
#include "tessera/report/report.hpp"
#ifdef TESSERA_EXAMPLE_MPI
#include "tessera/comm/mpi.hpp"
#endif

namespace {

void print_outcome(const Options& options, const Outcome& outcome) {
  if (!outcome.tiling.empty()) fmt::print("{}\n", outcome.tiling);
  const tessera::MetricsRow& last = outcome.recorder->rows().back();
  fmt::print("{} after {} iterations, {:.1f} s (set-up {:.1f} s): {}\n",
             options.prior == "red" ? options.prior : options.solver, outcome.result.iterations,
             outcome.result.elapsed_s, outcome.setup_s, tessera::to_string(outcome.result.reason));
  fmt::print("PSNR {:.2f} dB, SSIM {:.4f}\n", last.psnr, last.ssim);
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

void report_on(const Options& options) {
  prepare_folder(options.out);
  const std::string path = options.out + "/report.html";
  for (const std::string& note : tessera::write_report(path, options.report)) {
    fmt::print(stderr, "highres_deblurring: {}\n", note);
  }
  if (!options.quiet) fmt::print("Report: {}\n", path);
}

/// Whether the option is among the arguments.
bool has_option(int argc, char** argv, const std::string& option) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument == option || argument.starts_with(option + "=")) return true;
  }
  return false;
}

/// Plans a run: without MPI, because this is done where none can be launched.
int plan_main(int argc, char** argv) {
  if (!is_first_of_launcher()) return 0;
  Options options;
  if (const auto code = parse(argc, argv, true, options)) return *code;
  return tessera::run_guarded(*tessera::self_communicator(), "highres_deblurring", [&] {
    fmt::print("{}", plan_run(options));
    return 0;
  });
}

int grid_main(int argc, char** argv) {
  if (is_launched_by_mpi()) {
    if (is_first_of_launcher()) {
      fmt::print(stderr,
                 "highres_deblurring: --config starts the ranks of each row itself: run it "
                 "without mpiexec or srun\n");
    }
    return 1;
  }
  Options options;
  if (const auto code = parse(argc, argv, true, options)) return *code;
  return run_grid(options);
}

/// Reads the command line on every rank. If it ends the program on one, it ends it on all.
std::optional<int> parse_together(int argc, char** argv, tessera::Communicator& world,
                                  Options& options) {
  const std::optional<int> mine = parse(argc, argv, world.is_root(), options);
  std::int64_t ending = mine ? 1 + *mine : 0;
  tessera::agree(world, "highres_deblurring: command line", nullptr, {&ending, 1});
  if (ending == 0) return std::nullopt;
  if (world.is_root() && !mine)
    fmt::print(stderr, "highres_deblurring: the command line of another rank cannot be used\n");
  return static_cast<int>(ending - 1);
}

int run_main(int argc, char** argv) {
#ifdef TESSERA_EXAMPLE_MPI
  const tessera::MpiSession session(argc, argv);
  const tessera::CommunicatorPtr world = tessera::mpi_communicator();
#else
  const tessera::CommunicatorPtr world = tessera::self_communicator();
#endif
  return tessera::run_guarded(*world, "highres_deblurring", [&] {
    Options options;
    if (const auto code = parse_together(argc, argv, *world, options)) return *code;
    if (!options.report.empty()) {
      if (world->is_root()) report_on(options);
      return 0;
    }
    const Outcome outcome = run(options, world);
    if (outcome.interrupted) {
      if (world->is_root()) print_interruption(options, outcome);
      return interrupted_code;
    }
    write_outcome(options, outcome, *world);
    if (world->is_root() && !options.quiet) print_outcome(options, outcome);
    return 0;
  });
}

}  // namespace

int main(int argc, char** argv) {
  if (has_option(argc, argv, "--config")) return grid_main(argc, argv);
  if (has_option(argc, argv, "--plan")) return plan_main(argc, argv);
  return run_main(argc, argv);
}
