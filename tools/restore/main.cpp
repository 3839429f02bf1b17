// SPDX-License-Identifier: BSD-3-Clause
#include "restoration/on_ranks.hpp"
#include "restoration/run_settings.hpp"
#include "restore/run.hpp"
#include "settings/command_line.hpp"
#include "settings/program.hpp"
#include "tessera/comm/host.hpp"

namespace {

struct Options : restore::RunOrders, restoration::Parsed {};

using Make = settings::Members<Options>;

const settings::Table<Options>& table() {
  // clang-format off
  static const settings::Table<Options> rows = {
      {.name = "config", .group = "Options", .member = Make::path(&Options::config),
       .help = "YAML file: measurements, their operators and noise, prior, solver, output"},
      {.name = "output", .group = "Options", .member = Make::path(&Options::output),
       .help = "File of the restored image, instead of the one that the configuration names"},
      {.name = "report", .group = "Options", .member = Make::path(&Options::report),
       .help = "HTML file that shows the result, what is left of the measurements, and the plan"},
      {.name = "distribute_image", .group = "Options", .member = Make::flag(&Options::distribute_image),
       .help = "Share the image out: each rank reads, restores and writes its box, and none has the whole"},
      {.name = "dry_run", .group = "Options", .member = Make::flag(&Options::dry_run),
       .help = "Read and check everything, print what would be done, and stop"},
      {.name = "checkpoint_every", .group = "Options", .member = Make::integer(&Options::checkpoint_every, 0, 1 << 20),
       .help = "Iterations between two checkpoints, in the output's name with .checkpoint.safetensors; 0: none. SIGTERM and SIGUSR1 then end the run after the iteration, with exit code 75"},
      {.name = "resume", .group = "Options", .member = Make::flag(&Options::resume),
       .help = "Go on from the checkpoint, if there is one; writes one every 10 iterations unless --checkpoint-every says otherwise"},
      {.name = "threads", .group = "Options", .member = Make::integer(&Options::threads, 0, 1024), .may_differ = true,
       .help = "Threads per rank; 0: OMP_NUM_THREADS, or the cores that its ranks may use, shared"},
      {.name = "quiet", .group = "Options", .member = Make::flag(&Options::quiet), .may_differ = true,
       .help = "Print warnings and errors only"},
  };
  // clang-format on
  return rows;
}

constexpr const char* description =
    "Restores an image from measurements of your own: blurred, noisy, of lower resolution, with "
    "gaps, or several\n"
    "of these. A YAML file says what was measured and how; what it leaves open is estimated and "
    "told. Under mpiexec\n"
    "the ranks share the measurements and the denoiser's tiles. Page: "
    "docs/tutorial/your_own_data.md.";

void settle(Options& options, const settings::IsGiven& /*is_given*/) {
  if (options.config.empty()) throw CLI::ValidationError("--config", "give the file");
}

const settings::Program<Options>& command_line() {
  static const settings::Program<Options> program{"tessera_restore", description, table(), settle};
  return program;
}

int run_on(int argc, char** argv, const tessera::CommunicatorPtr& world) {
  Options options;
  if (const auto code = settings::parse_together(command_line(), argc, argv, *world, options)) {
    return *code;
  }
  return restore::run(options, world);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string& name = command_line().name;
  return settings::run_program(name, [&] {
    bool needs_no_ranks = false;
    for (const char* option : {"--help", "-h", "--version"}) {
      needs_no_ranks = needs_no_ranks || settings::has_option(argc, argv, option);
    }
    if (needs_no_ranks && !tessera::launched_by_mpi()) {
      Options options;
      return settings::parse(command_line(), argc, argv, true, options).value_or(0);
    }
    return restoration::run_on_ranks(argc, argv, name, [&](const tessera::CommunicatorPtr& world) {
      return run_on(argc, argv, world);
    });
  });
}
