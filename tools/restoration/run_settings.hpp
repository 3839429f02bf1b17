// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <c10/core/DeviceType.h>
#include <c10/core/ScalarType.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "restoration/backend.hpp"
#include "restoration/enums.hpp"
#include "restoration/supervised_run.hpp"
#include "settings/setting.hpp"
#include "tessera/distributed/tiled_denoiser.hpp"

namespace restoration {

enum class Scheduler { slurm };

/// The settings that programs of this kind have in common: how the work is shared out and a run
/// carried out. A program's options derive from it. A member is there and in run_rows(), or in
/// neither: a test counts.
struct RunSettings {
  std::optional<bool> distribute_physics;   ///< nullopt: if there are several ranks
  std::optional<bool> distribute_denoiser;  ///< nullopt: if there are several ranks
  tessera::Tiling tiling = tessera::Tiling::even;
  tessera::PerAxis patch_size = 448;
  tessera::PerAxis overlap = 32;
  std::int64_t max_batch_size = 0;

  at::ScalarType dtype = at::ScalarType::Float;
  at::DeviceType device = at::DeviceType::CPU;
  Backend backend = Backend::automatic;
  int threads = 0;  ///< per rank; 0: see tessera::threads_for_this_rank
  std::int64_t repetitions = 1;
  std::int64_t warmup = 1;
  std::string out = "results";
  std::int64_t checkpoint_every = 0;
  bool resume = false;
  bool save_npy = false;
  bool quiet = false;

  bool no_report = false;
  std::vector<std::string> report;

  std::string config;
  bool dry_run = false;
  std::optional<Scheduler> submit;
  std::string parallel_config;
  std::string mpiexec;
};

/// What the command line made of itself.
struct Parsed {
  /// What the result depends on in full (settings::arguments_of): the same run again.
  std::vector<std::string> arguments = {};
  /// The options given (settings::given_options), without those of a grid.
  std::vector<std::vector<std::string>> given = {};
  int gpu = 0;  ///< with device cuda: index of this rank's; found by choose_place
};

/// How the settings cut images.
tessera::TilingOptions tiling_options(const RunSettings& settings);

/// How a run of `iterations` is carried out.
RunOptions run_options(const RunSettings& settings, const std::string& program,
                       std::int64_t iterations);

/// Throws CLI::ValidationError for what cannot be asked for together.
void check_together(const RunSettings& settings);

}  // namespace restoration

namespace settings {

template <>
inline constexpr std::array enum_names<restoration::Scheduler> = {
    EnumName{restoration::Scheduler::slurm, "slurm"}};

}  // namespace settings

namespace restoration {

/// The rows of RunSettings, for the tables of Options that derive from it.
template <typename Options>
settings::Table<Options> run_rows() {
  using settings::Role;
  using Make = settings::Members<Options>;
  using enum settings::Section;
  constexpr int most_threads = 1024;
  using settings::many;
  using settings::unbounded;
  constexpr auto always = settings::always<Options>;
  // clang-format off
  return {
      {.name = "distribute_physics", .group = "Distribution", .member = Make::choice(&RunSettings::distribute_physics), .section = solver, .help_has_default = true,
       .help = "Share the operators among the ranks [with several ranks]"},
      {.name = "distribute_denoiser", .group = "Distribution", .member = Make::choice(&RunSettings::distribute_denoiser), .section = solver, .help_has_default = true,
       .help = "Denoise by tiles, shared among the ranks [with several ranks]"},
      {.name = "tiling", .group = "Distribution", .member = Make::word(&RunSettings::tiling, {{"peer", "deepinv"}}), .section = solver, .identifies = always,
       .help = "auto: even work on all ranks; fixed: patch-size and overlap; deepinv: deepinv's layout; exact: the untiled result"},
      {.name = "patch_size", .group = "Distribution", .member = Make::per_axis(&RunSettings::patch_size, 0), .section = solver, .identifies = always,
       .help = "Inner size of a fixed or deepinv tile in pixels, or along each axis, of volumes 8x256x256"},
      {.name = "overlap", .group = "Distribution", .member = Make::per_axis(&RunSettings::overlap, 0), .section = solver, .alias = "receptive_field_size", .identifies = always,
       .help = "Context around a tile in pixels, or along each axis, of volumes 2x16x16"},
      {.name = "max_batch_size", .group = "Distribution", .member = Make::integer(&RunSettings::max_batch_size, 0, unbounded), .section = solver,
       .help = "Tiles denoised at once; 0: as many as memory allows"},

      {.name = "dtype", .group = "Run", .member = Make::word(&RunSettings::dtype), .section = solver, .identifies = always,
       .help = "Precision"},
      {.name = "device", .group = "Run", .member = Make::word(&RunSettings::device), .section = solver,
       .help = "cpu or cuda"},
      {.name = "backend", .group = "Run", .member = Make::word(&RunSettings::backend), .section = solver,
       .help = "How ranks exchange data: mpi: through host memory; nccl: between GPUs; auto: nccl with --device cuda and a GPU for each rank, if built in, else mpi"},
      {.name = "threads", .group = "Run", .member = Make::integer(&RunSettings::threads, 0, most_threads), .section = solver, .may_differ = true,
       .help = "Threads per rank; 0: OMP_NUM_THREADS, or the cores that its ranks may use, shared"},
      {.name = "repetitions", .group = "Run", .member = Make::integer(&RunSettings::repetitions, 1, many),
       .help = "Times the restoration is repeated, for times that can be trusted"},
      {.name = "warmup", .group = "Run", .member = Make::integer(&RunSettings::warmup, 0, unbounded), .section = solver,
       .help = "Iterations of each repetition that statistics of times leave out"},
      {.name = "out", .group = "Run", .member = Make::path(&RunSettings::out), .role = Role::manner,
       .help = "Folder for the results; one run at a time"},
      {.name = "checkpoint_every", .group = "Run", .member = Make::integer(&RunSettings::checkpoint_every, 0, unbounded), .role = Role::manner,
       .help = "Iterations between two checkpoints in OUT; 0: none. SIGTERM and SIGUSR1 then end the run after the iteration, with exit code 75"},
      {.name = "resume", .group = "Run", .member = Make::flag(&RunSettings::resume), .role = Role::manner,
       .help = "Go on from the checkpoint in OUT, if there is one; writes one every 10 iterations unless --checkpoint-every says otherwise"},
      {.name = "save_npy", .group = "Run", .member = Make::flag(&RunSettings::save_npy), .role = Role::files,
       .help = "Also write x.npy, truth.npy and measurements.npy"},
      {.name = "quiet", .group = "Run", .member = Make::flag(&RunSettings::quiet), .role = Role::manner, .may_differ = true,
       .help = "Print warnings and errors only"},

      {.name = "no_report", .group = "Report", .member = Make::flag(&RunSettings::no_report), .role = Role::manner,
       .help = "Do not write OUT/report.html"},
      {.name = "report", .group = "Report", .member = Make::paths(&RunSettings::report), .role = Role::mode,
       .help = "Write one OUT/report.html over these folders of earlier runs, and stop"},

      {.name = "config", .group = "Grid", .member = Make::path(&RunSettings::config), .role = Role::mode,
       .help = "Run the grid of this YAML file, each row by itself into OUT/ROW; other options override the file. The same command again goes on where it stopped"},
      {.name = "dry_run", .group = "Grid", .member = Make::flag(&RunSettings::dry_run), .role = Role::of_mode, .needs = "--config",
       .help = "Print what would run and the tiles of each row, and stop"},
      {.name = "submit", .group = "Grid", .member = Make::word(&RunSettings::submit), .role = Role::of_mode, .needs = "--config",
       .help = "slurm: submit each row as a job of its own"},
      {.name = "parallel_config", .group = "Grid", .member = Make::path(&RunSettings::parallel_config), .role = Role::of_mode, .needs = "--submit",
       .help = "YAML file with the settings of the cluster"},
      {.name = "mpiexec", .group = "Grid", .member = Make::text(&RunSettings::mpiexec), .role = Role::of_mode, .help_has_default = true, .needs = "--config",
       .help = "Launcher and its flags, e.g. \"mpirun --oversubscribe\" [the build's]"},
  };
  // clang-format on
}

}  // namespace restoration
