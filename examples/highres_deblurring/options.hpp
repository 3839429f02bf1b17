#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

/// A grid of runs from a configuration file.
struct GridOptions {
  std::string config;           ///< empty: one run
  bool dry_run = false;         ///< say what would run, and stop
  std::string submit;           ///< slurm, or empty: run here
  std::string parallel_config;  ///< how Slurm starts a row
  std::string mpiexec;          ///< launcher with its flags; empty: the one found by the build
};

/// What the user asked for: the published benchmark's keys, with dashes on the command line.
struct Options {
  std::string image;               ///< photograph; empty: a built-in synthetic scene
  std::int64_t page = 0;           ///< of the photograph's file, from 1; 0: the largest picture
  std::int64_t image_size = 2048;  ///< larger side in pixels
  bool image_size_given = false;
  std::int64_t max_image_size = 0;  ///< bound on image_size; 0: none
  std::int64_t num_operators = 8;
  double noise_level = 0.1;  ///< standard deviation, intensities 0 to 1
  std::uint64_t seed = 42;   ///< operator i draws its noise from stream i of it

  std::string solver = "dpir";                 ///< pnp | dpir
  std::string fidelity = "clipped";            ///< l2 | clipped: measurements clipped to 0 to 1
  std::string prior = "pnp";                   ///< pnp: the denoiser as proximal operator; red
  double red_weight = 4;                       ///< of the red prior against the data
  double dpir_weight = 0.1;                    ///< of the prior against the data in dpir
  std::string denoiser = "drunet";             ///< drunet | dncnn | tv | script
  std::string weights;                         ///< empty: the weights installed with tessera
  double denoiser_sigma = 0.01;                ///< intensities 0 to 1
  std::optional<double> denoiser_sigma_start;  ///< pnp: of the first iteration; nullopt: constant
  std::optional<double> step_size;             ///< nullopt: from ||A||^2
  std::string init_method = "zeros";           ///< zeros | adjoint | pseudo_inverse
  std::int64_t iterations = 30;
  std::int64_t repetitions =
      1;  ///< times the restoration is repeated, for times that can be trusted

  std::optional<bool> distribute_physics;   ///< nullopt: if there are several ranks
  std::optional<bool> distribute_denoiser;  ///< nullopt: if there are several ranks
  std::int64_t patch_size = 448;
  std::int64_t overlap = 32;
  std::int64_t max_batch_size = 0;
  std::string tiling = "auto";  ///< auto | fixed | deepinv | exact

  std::string dtype = "float32";
  std::string device = "cpu";
  int gpu = 0;                   ///< with device cuda: index of this rank's; found by make_backend
  std::string backend = "auto";  ///< auto | mpi | nccl
  int threads = 0;               ///< per rank; 0: see tessera::threads_for_this_rank

  std::string truth;         ///< .npy (3, H, W) instead of the image
  std::string measurements;  ///< .npy (N, 3, H, W) instead of the simulation
  bool save_npy = false;
  std::string out = "results";
  std::int64_t checkpoint_every = 0;  ///< iterations between two checkpoints; 0: none
  bool resume = false;                ///< go on from the checkpoint in the folder, if there is one
  std::int64_t warmup = 1;            ///< iterations of each repetition that statistics leave out
  bool no_report = false;             ///< do not write report.html
  std::vector<std::string> report;    ///< run folders to report on, instead of running
  bool quiet = false;

  bool plan = false;  ///< predict how the run scales, instead of running it
  std::vector<int> ranks = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024};
  double bandwidth_gb_per_s = 10;
  double latency_us = 5;

  GridOptions grid;

  /// The problem, the method, the distribution and the run in full, as arguments for this program:
  /// what was given and every default, with absolute paths. Without those that do not change the
  /// result: --out, --quiet, --no-report, --resume, --checkpoint-every. Filled by parse.
  std::vector<std::string> arguments;
  /// The options given, without those of a grid, as arguments: {{"--image-size", "512"}, ...}.
  std::vector<std::vector<std::string>> given;
  /// Every option with what it stands at, for ranks to compare; without --threads and --quiet,
  /// which may differ.
  std::vector<std::pair<std::string, std::string>> settings;
};

/// Reads the command line. Returns an exit code if the program is to end at once: after --help or
/// --version, which only the first rank prints, or after an error, which it explains on stderr.
std::optional<int> parse(int argc, char** argv, bool is_root, Options& options);

/// The same for arguments from elsewhere than the command line, without the program's name. Throws
/// error::InvalidArgument.
Options parse_arguments(std::vector<std::string> arguments);
