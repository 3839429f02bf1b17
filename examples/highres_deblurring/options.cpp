#include "options.hpp"

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <filesystem>
#include <iostream>
#include <string_view>

#include "method.hpp"
#include "option_kinds.hpp"
#include "tessera/core/error.hpp"
#include "tessera/core/version.hpp"

namespace {

constexpr const char* description =
    "Restores one large colour photograph from several blurred, noisy ones.\n\n"
    "Each of the num-operators measurements is the photograph blurred along another direction "
    "(angles spread over\n"
    "0 to 180 degrees, both included) with noise added. A plug-and-play solver recovers it with a "
    "learned denoiser as\n"
    "prior. Without options: half-quadratic splitting (dpir) with the likelihood of clipped "
    "measurements.\n"
    "Under mpiexec the ranks share the operators and the tiles of the denoiser.";

constexpr std::int64_t unbounded = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t many = 1 << 20;
constexpr int most_threads = 1024;

void add_problem(CLI::App& app, Options& options) {
  constexpr const char* group = "Problem";
  add_path(app, "--image", options.image,
           "Photograph (PNG, JPEG or TIFF); without one, a synthetic scene")
      ->group(group);
  add_integer(app, "--page", options.page, 0, unbounded,
              "Which picture of an image file that holds several, from 1; 0: the largest")
      ->group(group);
  add_integer(app, "--image-size", options.image_size, 8, many,
              "Larger side in pixels, the image is scaled to it")
      ->group(group);
  add_integer(app, "--max-image-size", options.max_image_size, 0, unbounded,
              "Bound on the image size, for quick tests; 0: none")
      ->group(group);
  add_integer(app, "--num-operators", options.num_operators, 1, many,
              "Number of blurred measurements")
      ->group(group);
  add_number(app, "--noise-level", options.noise_level, level,
             "Standard deviation of the noise, intensities 0 to 1")
      ->group(group);
  add_seed(app, "--seed", options.seed, "Of the noise; measurement i draws from its stream i")
      ->group(group);
  add_path(app, "--truth", options.truth, "File .npy (3, H, W) instead of the image")->group(group);
  add_path(app, "--measurements", options.measurements,
           "File .npy (N, 3, H, W) instead of the simulation")
      ->group(group);
}

void add_method(CLI::App& app, Options& options, std::string& preset) {
  constexpr const char* group = "Method";
  app.add_option_function<std::string>(
         "--preset",
         [&preset](const std::string& given) {
           if (given == "seed") throw CLI::ValidationError("--preset", "seed is called published");
           if (given != "default" && given != "published") {
             throw CLI::ValidationError("--preset",
                                        fmt::format("is {}, expected default or published", given));
           }
           preset = given;
         },
         "published: the benchmark as published, --solver pnp with step 0.1, sigma 0.005, 10 "
         "iterations")
      ->type_name("{default,published}")
      ->default_str(preset)
      ->group(group);
  add_word(app, "--solver", options.solver, {"dpir", "pnp"},
           "dpir: half-quadratic splitting; pnp: proximal gradient, implied by options that only "
           "it has")
      ->default_str("dpir")
      ->group(group);
  add_word(app, "--fidelity", options.fidelity, {"clipped", "l2"},
           "l2: least squares; clipped: knows that measurements were clipped to 0 to 1, restores "
           "better [dpir: clipped; pnp: l2]")
      ->default_str("")
      ->group(group);
  add_word(app, "--prior", options.prior, {"pnp", "red"},
           "pnp: the denoiser as proximal operator; red: regularisation by denoising, by gradient "
           "descent (implies --solver pnp)")
      ->group(group);
  add_number(app, "--red-weight", options.red_weight, zero_or_more,
             "Weight of the red prior against the data (implies --prior red)")
      ->group(group);
  add_number(app, "--dpir-weight", options.dpir_weight, more_than_zero,
             "Weight of dpir's prior against the data, lambda in the paper [0.1; published: 0.23]")
      ->default_str("")
      ->group(group);
  add_word(app, "--denoiser", options.denoiser, {"drunet", "dncnn", "tv", "script"}, "Denoiser")
      ->group(group);
  add_path(app, "--weights", options.weights,
           "Weights file (.safetensors or .pth; for script a network, .pt or .pt2); without one, "
           "the installed weights")
      ->group(group);
  add_number(app, "--denoiser-sigma", options.denoiser_sigma, level,
             "Noise level that pnp gives to the denoiser, in the last iteration; implies --solver "
             "pnp [0.01; red: 0.1; published: 0.005]")
      ->default_str("")
      ->group(group);
  add_number(app, "--denoiser-sigma-start", options.denoiser_sigma_start, positive_level,
             "Noise level that pnp begins with; implies --solver pnp [0.1; if --denoiser-sigma is "
             "given: the same]")
      ->group(group);
  app.add_option_function<std::string>(
         "--step-size",
         [&options](const std::string& given) {
           options.step_size.reset();
           if (given == "auto") return;
           Bounds bounds = more_than_zero;
           bounds.hint = ", or auto";
           options.step_size = checked_number("--step-size", given, bounds);
         },
         "Step of pnp, or auto: 1.6 / ||A||^2, red: 1 / (||A||^2 + weight); implies --solver pnp "
         "[auto; published: 0.1]")
      ->type_name("NUMBER|auto")
      ->group(group);
  add_word(app, "--init-method", options.init_method, {"zeros", "adjoint", "pseudo_inverse"},
           "Starting point [zeros; pnp with an automatic step: adjoint]")
      ->default_str("")
      ->group(group);
  add_integer(app, "--iterations", options.iterations, 1, 1 << 30,
              "Iterations [dpir: 8; pnp: 30; published: 10]")
      ->default_str("")
      ->group(group);
}

void add_distribution(CLI::App& app, Options& options) {
  constexpr const char* group = "Distribution";
  add_choice(app, "distribute-physics", options.distribute_physics,
             "Share the operators among the ranks [with several ranks]", group);
  add_choice(app, "distribute-denoiser", options.distribute_denoiser,
             "Denoise by tiles, shared among the ranks [with several ranks]", group);
  add_word(
      app, "--tiling", options.tiling, {"auto", "fixed", "deepinv", "exact"},
      "auto: even work on all ranks; fixed: patch-size and overlap; deepinv: deepinv's layout; "
      "exact: the untiled result",
      {{"peer", "deepinv"}})
      ->group(group);
  add_integer(app, "--patch-size", options.patch_size, 0, unbounded,
              "Inner size of a fixed or deepinv tile in pixels")
      ->group(group);
  add_integer(app, "--overlap", options.overlap, 0, unbounded, "Context around a tile in pixels")
      ->group(group);
  add_integer(app, "--max-batch-size", options.max_batch_size, 0, unbounded,
              "Tiles denoised at once; 0: as many as memory allows")
      ->group(group);
}

void add_run(CLI::App& app, Options& options) {
  constexpr const char* group = "Run";
  add_word(app, "--dtype", options.dtype, {"float32", "float64"}, "Precision")->group(group);
  add_word(app, "--device", options.device, {"cpu", "cuda"}, "cpu or cuda")->group(group);
  add_word(app, "--backend", options.backend, {"auto", "mpi", "nccl"},
           "How ranks exchange data: mpi: through host memory; nccl: between GPUs; auto: nccl with "
           "--device cuda and a GPU for each rank, if built in, else mpi")
      ->group(group);
  add_integer(app, "--threads", options.threads, 0, most_threads,
              "Threads per rank; 0: OMP_NUM_THREADS, or the cores that its ranks may use, shared")
      ->group(group);
  add_integer(app, "--repetitions", options.repetitions, 1, many,
              "Times the restoration is repeated, for times that can be trusted")
      ->group(group);
  add_integer(app, "--warmup", options.warmup, 0, unbounded,
              "Iterations of each repetition that statistics of times leave out")
      ->group(group);
  add_path(app, "--out", options.out, "Folder for the results; one run at a time")->group(group);
  add_integer(app, "--checkpoint-every", options.checkpoint_every, 0, unbounded,
              "Iterations between two checkpoints in OUT; 0: none. SIGTERM and SIGUSR1 then end "
              "the run after the iteration, with exit code 75")
      ->group(group);
  app.add_flag("--resume", options.resume,
               "Go on from the checkpoint in OUT, if there is one; writes one every 10 iterations "
               "unless --checkpoint-every says otherwise")
      ->group(group);
  app.add_flag("--save-npy", options.save_npy, "Also write x.npy, truth.npy and measurements.npy")
      ->group(group);
  app.add_flag("--quiet", options.quiet, "Print warnings and errors only")->group(group);
}

void add_report(CLI::App& app, Options& options) {
  app.add_flag("--no-report", options.no_report, "Do not write OUT/report.html")->group("Report");
  app.add_option_function<std::vector<std::string>>(
         "--report",
         [&options](const std::vector<std::string>& folders) {
           for (const std::string& folder : folders) {
             if (folder.empty()) {
               throw CLI::ValidationError("--report", "is empty, expected the names of folders");
             }
           }
           options.report = folders;
         },
         "Write one OUT/report.html over these folders of earlier runs, and stop")
      ->type_name("PATH ...")
      ->expected(1, 1 << 20)
      ->group("Report");
}

void add_plan(CLI::App& app, Options& options) {
  app.add_flag("--plan", options.plan, "Print how the run would scale with the ranks, and stop")
      ->group("Planning");
  app.add_option_function<std::vector<std::string>>(
         "--ranks",
         [&options](const std::vector<std::string>& given) {
           options.ranks.clear();
           for (const std::string& text : given) {
             options.ranks.push_back(static_cast<int>(checked_integer("--ranks", text, 1, many)));
           }
         },
         "Numbers of ranks to plan for, e.g. 1,2,4")
      ->type_name("INTEGER,...")
      ->delimiter(',')
      ->group("Planning");
  add_number(app, "--bandwidth", options.bandwidth_gb_per_s, more_than_zero,
             "Between ranks, in GB/s")
      ->group("Planning");
  add_number(app, "--latency", options.latency_us, zero_or_more, "Between ranks, in microseconds")
      ->group("Planning");
}

void add_grid(CLI::App& app, GridOptions& grid) {
  add_path(app, "--config", grid.config,
           "Run the grid of this YAML file, each row by itself into OUT/ROW; other options "
           "override the file. The same command again goes on where it stopped")
      ->group("Grid");
  app.add_flag("--dry-run", grid.dry_run,
               "Print what would run and the tiles of each row, and stop")
      ->needs("--config")
      ->group("Grid");
  add_word(app, "--submit", grid.submit, {"slurm"}, "slurm: submit each row as a job of its own")
      ->needs("--config")
      ->group("Grid");
  add_path(app, "--parallel-config", grid.parallel_config,
           "YAML file with the settings of the cluster")
      ->needs("--submit")
      ->group("Grid");
  app.add_option("--mpiexec", grid.mpiexec,
                 "Launcher and its flags, e.g. \"mpirun --oversubscribe\" [the build's]")
      ->needs("--config")
      ->group("Grid");
}

/// The program's options over a CLI11 parser.
class CommandLine {
 public:
  explicit CommandLine(Options& options) : options_(options) {
    app_.set_version_flag("--version", "highres_deblurring (tessera " TESSERA_VERSION ")");
    app_.get_formatter()->column_width(34);
    add_problem(app_, options);
    add_method(app_, options, preset_);
    add_distribution(app_, options);
    add_run(app_, options);
    add_report(app_, options);
    add_grid(app_, options.grid);
    add_plan(app_, options);
  }

  CLI::App& app() { return app_; }

  /// After parsing: what presets, solvers and bounds leave, and the options as arguments again.
  void settle() {
    settle_method(options_, preset_ == "published" ? Preset::published : Preset::standard,
                  [this](const std::string& name) { return app_.count(name) > 0; });
    options_.image_size_given = app_.count("--image-size") > 0;
    if (options_.max_image_size > 0) {
      options_.image_size = std::min(options_.image_size, options_.max_image_size);
    }
    if (!options_.image.empty() && !options_.truth.empty()) {
      throw CLI::ValidationError("--truth", "stands for --image: give one of them");
    }
    if (options_.fidelity != "l2" && options_.plan) {
      throw CLI::ValidationError("--plan", "knows the costs of --fidelity l2 only");
    }
    if (options_.repetitions > 1 && (options_.checkpoint_every > 0 || options_.resume)) {
      throw CLI::ValidationError(
          "--repetitions",
          "is for times, --checkpoint-every and --resume for one long run: give "
          "one of them");
    }
    if (!options_.grid.config.empty() && options_.plan) {
      throw CLI::ValidationError("--plan", "is for one run; with --config give --dry-run");
    }
    for (const CLI::Option* option : app_.get_options()) {
      list(*option);
      settings_of(*option);
    }
  }

 private:
  /// Adds an option to the lists of arguments.
  void list(const CLI::Option& option) {
    constexpr std::array<std::string_view, 4> groups = {"Problem", "Method", "Distribution", "Run"};
    const std::string& group = option.get_group();
    if (std::find(groups.begin(), groups.end(), group) == groups.end()) return;
    const std::string name = option.get_name();
    if (option.count() > 0) {
      options_.given.push_back({name});
      if (!is_flag(option)) options_.given.back().push_back(option.results().front());
    }
    constexpr std::array<std::string_view, 7> left_out = {
        "--preset", "--max-image-size",  "--out", "--quiet", "--no-report",
        "--resume", "--checkpoint-every"};
    if (std::find(left_out.begin(), left_out.end(), name) != left_out.end()) return;
    if (!is_of_method(options_, name)) return;
    if (is_flag(option)) {
      if (option.count() > 0) options_.arguments.push_back(name);
      return;
    }
    const std::string value = final_value(option, name);
    if (value.empty()) return;
    options_.arguments.push_back(name);
    options_.arguments.push_back(value);
  }

  /// Adds an option to the settings that ranks compare; what they are to do comes first.
  void settings_of(const CLI::Option& option) {
    constexpr std::array<std::string_view, 4> may_differ = {"--help", "--version", "--threads",
                                                            "--quiet"};
    const std::string name = option.get_name();
    if (std::find(may_differ.begin(), may_differ.end(), name) != may_differ.end()) return;
    std::string value;
    if (is_flag(option)) {
      value = option.count() > 0 ? "given" : "";
    } else {
      value =
          option.count() > 0 ? CLI::detail::join(option.results(), ",") : final_value(option, name);
    }
    constexpr std::array<std::string_view, 3> modes = {"--config", "--plan", "--report"};
    const bool is_mode = std::find(modes.begin(), modes.end(), name) != modes.end();
    options_.settings.emplace(is_mode ? options_.settings.begin() : options_.settings.end(), name,
                              value.empty() ? "not given" : value);
  }

  static bool is_flag(const CLI::Option& option) { return option.get_expected_max() == 0; }

  /// What the option stands at; empty: nothing.
  std::string final_value(const CLI::Option& option, const std::string& name) const {
    const bool is_given = option.count() > 0;
    if (name == "--image-size") {
      // A .npy truth brings its own size, unless one is given.
      return is_given || options_.truth.empty() ? fmt::format("{}", options_.image_size) : "";
    }
    if (name == "--page" && options_.page == 0) return "";  // none asked for
    if (name == "--solver") return options_.solver;
    if (name == "--fidelity") return options_.fidelity;
    if (name == "--prior") return options_.prior;
    if (name == "--iterations") return fmt::format("{}", options_.iterations);
    if (name == "--denoiser-sigma") return fmt::format("{}", options_.denoiser_sigma);
    if (name == "--denoiser-sigma-start") {
      const std::optional<double>& start = options_.denoiser_sigma_start;
      return start ? fmt::format("{}", *start) : "";
    }
    if (name == "--init-method") return options_.init_method;
    if (name == "--dpir-weight") return fmt::format("{}", options_.dpir_weight);
    if (name == "--step-size") {
      return options_.step_size ? fmt::format("{}", *options_.step_size) : "auto";
    }
    if (!is_given) return option.get_default_str();
    constexpr std::array<std::string_view, 4> paths = {"--image", "--truth", "--measurements",
                                                       "--weights"};
    const std::string value = option.results().front();
    const bool is_path = std::find(paths.begin(), paths.end(), name) != paths.end();
    return is_path ? std::filesystem::absolute(value).lexically_normal().string() : value;
  }

  CLI::App app_{description, "highres_deblurring"};
  std::string preset_ = "default";
  Options& options_;
};

}  // namespace

std::optional<int> parse(int argc, char** argv, bool is_root, Options& options) {
  CommandLine command_line(options);
  try {
    command_line.app().parse(argc, argv);
    command_line.settle();
  } catch (const CLI::ParseError& error) {
    std::ostream nowhere(nullptr);
    return command_line.app().exit(error, is_root ? std::cout : nowhere,
                                   is_root ? std::cerr : nowhere);
  }
  return std::nullopt;
}

Options parse_arguments(std::vector<std::string> arguments) {
  Options options;
  CommandLine command_line(options);
  std::reverse(arguments.begin(), arguments.end());  // CLI11 takes them from the end
  try {
    command_line.app().parse(std::move(arguments));
    command_line.settle();
  } catch (const CLI::ParseError& error) {
    throw tessera::error::InvalidArgument(error.what());
  }
  return options;
}
