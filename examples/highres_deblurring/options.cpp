#include "options.hpp"

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <filesystem>
#include <iostream>
#include <map>
#include <string_view>

#include "tessera/core/error.hpp"
#include "tessera/core/version.hpp"

namespace {

constexpr const char* description =
    "Restores one large colour photograph from several blurred, noisy ones.\n\n"
    "Each of the num-operators measurements is the photograph blurred along another direction "
    "(angles spread over\n"
    "0 to 180 degrees, both included) with noise added. A plug-and-play solver recovers it with a "
    "learned denoiser as\n"
    "prior. Under mpiexec the ranks share the operators and the tiles of the denoiser.";

/// What a preset or solver chooses for the settings that the command line leaves open.
struct Defaults {
  double denoiser_sigma;
  std::optional<double> denoiser_sigma_start;
  std::optional<double> step_size;
  std::int64_t iterations;
  double dpir_weight = 0.1;  // a little better than the published one where measurements are many
};

Defaults defaults(const std::string& preset, const std::string& solver, const std::string& prior) {
  if (preset == "seed") return {0.005, std::nullopt, 0.1, 10, 0.23};
  if (solver == "dpir") return {0.01, std::nullopt, std::nullopt, 8};
  if (prior == "red") return {0.1, std::nullopt, std::nullopt, 30};
  return {0.01, 0.1, std::nullopt, 30};
}

/// As CLI11's own, which names the largest double in its message.
CLI::Validator bounded_below(bool zero_is_good, const std::string& expected) {
  const auto check = [=](const std::string& text) {
    double value = 0;
    const bool good =
        CLI::detail::lexical_cast(text, value) && (value > 0 || (zero_is_good && value == 0));
    return good ? std::string() : fmt::format("is {}, expected {}", text, expected);
  };
  return {check, "", expected};
}
const CLI::Validator non_negative = bounded_below(true, "zero or more");
const CLI::Validator positive = bounded_below(false, "more than zero");

void add_problem(CLI::App& app, Options& options) {
  app.add_option("--image", options.image,
                 "Photograph (PNG, JPEG or TIFF); without one, a synthetic scene")
      ->group("Problem");
  app.add_option("--image-size", options.image_size,
                 "Larger side in pixels, the image is scaled to it")
      ->check(CLI::Range(8, 1 << 20))
      ->capture_default_str()
      ->group("Problem");
  app.add_option("--max-image-size", options.max_image_size,
                 "Bound on the image size, for quick tests; 0: none")
      ->check(non_negative)
      ->group("Problem");
  app.add_option("--num-operators", options.num_operators, "Number of blurred measurements")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str()
      ->group("Problem");
  app.add_option("--noise-level", options.noise_level,
                 "Standard deviation of the noise, intensities 0 to 1")
      ->check(non_negative)
      ->capture_default_str()
      ->group("Problem");
  app.add_option("--seed", options.seed, "Measurement i draws its noise from stream i of this seed")
      ->capture_default_str()
      ->group("Problem");
  app.add_option("--truth", options.truth, "File .npy (3, H, W) in the place of the image")
      ->group("Problem");
  app.add_option("--measurements", options.measurements,
                 "File .npy (N, 3, H, W) in the place of the simulation")
      ->group("Problem");
}

void add_method(CLI::App& app, Options& options, std::string& preset, std::string& step) {
  app.add_option("--preset", preset,
                 "default: good restoration; seed: step 0.1, sigma 0.005, 10 iterations")
      ->check(CLI::IsMember({"default", "seed"}))
      ->capture_default_str()
      ->group("Method");
  app.add_option("--solver", options.solver,
                 "pnp: proximal gradient; dpir: half-quadratic splitting")
      ->check(CLI::IsMember({"pnp", "dpir"}))
      ->capture_default_str()
      ->group("Method");
  app.add_option("--fidelity", options.fidelity,
                 "l2: least squares; clipped: knows that measurements were clipped to 0 to 1, "
                 "restores better and takes longer")
      ->check(CLI::IsMember({"l2", "clipped"}))
      ->capture_default_str()
      ->group("Method");
  app.add_option("--prior", options.prior,
                 "pnp: the denoiser in the place of a proximal operator; red: regularisation by "
                 "denoising, by gradient descent")
      ->check(CLI::IsMember({"pnp", "red"}))
      ->capture_default_str()
      ->group("Method");
  app.add_option("--red-weight", options.red_weight, "Weight of the red prior against the data")
      ->check(non_negative)
      ->capture_default_str()
      ->group("Method");
  app.add_option("--dpir-weight", options.dpir_weight,
                 "Weight of dpir's prior against the data, lambda in the paper [0.1; seed: 0.23]")
      ->check(positive)
      ->group("Method");
  app.add_option("--denoiser", options.denoiser, "Denoiser")
      ->check(CLI::IsMember({"drunet", "dncnn", "tv", "script"}))
      ->capture_default_str()
      ->group("Method");
  app.add_option(
         "--weights", options.weights,
         "Weights file (.safetensors or .pth; for script a network, .pt or .pt2); without one, "
         "the installed weights")
      ->group("Method");
  app.add_option("--denoiser-sigma", options.denoiser_sigma,
                 "Noise level given to the denoiser, by pnp in the last iteration [0.01; red: 0.1; "
                 "seed: 0.005]")
      ->check(non_negative)
      ->group("Method");
  app.add_option("--denoiser-sigma-start", options.denoiser_sigma_start,
                 "Noise level that pnp begins with [0.1; if --denoiser-sigma is given: the same]")
      ->check(positive)
      ->group("Method");
  app.add_option(
         "--step-size", step,
         "Gradient step, or auto: 1.6 / ||A||^2, red: 1 / (||A||^2 + weight) [auto; seed: 0.1]")
      ->group("Method");
  app.add_option("--init-method", options.init_method,
                 "Starting point [zeros; pnp with an automatic step: adjoint]")
      ->check(CLI::IsMember({"zeros", "adjoint", "pseudo_inverse"}))
      ->group("Method");
  app.add_option("--iterations", options.iterations, "Iterations [pnp: 30; dpir: 8; seed: 10]")
      ->check(CLI::Range(1, 1 << 30))
      ->group("Method");
}

/// A flag and its negation that stay open unless one of them is given.
void add_choice(CLI::App& app, const std::string& name, std::optional<bool>& choice,
                const std::string& text) {
  app.add_flag_callback(
         "--" + name, [&choice] { choice = true; }, text)
      ->group("Distribution");
  app.add_flag_callback(
         "--no-" + name, [&choice] { choice = false; }, "Do not")
      ->group("Distribution")
      ->excludes("--" + name);
}

void add_distribution(CLI::App& app, Options& options) {
  add_choice(app, "distribute-physics", options.distribute_physics,
             "Share the operators among the ranks [with several ranks]");
  add_choice(app, "distribute-denoiser", options.distribute_denoiser,
             "Denoise by tiles, shared among the ranks [with several ranks]");
  app.add_option(
         "--tiling", options.tiling,
         "auto: even work on all ranks; fixed: patch-size and overlap; peer: deepinv's layout; "
         "exact: the untiled result")
      ->check(CLI::IsMember({"auto", "fixed", "peer", "exact"}))
      ->capture_default_str()
      ->group("Distribution");
  app.add_option("--patch-size", options.patch_size, "Inner size of a fixed or peer tile in pixels")
      ->check(non_negative)
      ->capture_default_str()
      ->group("Distribution");
  app.add_option("--overlap", options.overlap, "Context around a tile in pixels")
      ->check(non_negative)
      ->capture_default_str()
      ->group("Distribution");
  app.add_option("--max-batch-size", options.max_batch_size,
                 "Tiles denoised at once; 0: as many as memory allows")
      ->check(non_negative)
      ->capture_default_str()
      ->group("Distribution");
}

void add_run(CLI::App& app, Options& options) {
  app.add_option("--dtype", options.dtype, "Precision")
      ->check(CLI::IsMember({"float32", "float64"}))
      ->capture_default_str()
      ->group("Run");
  app.add_option("--device", options.device, "cpu or cuda")
      ->check(CLI::IsMember({"cpu", "cuda"}))
      ->capture_default_str()
      ->group("Run");
  app.add_option("--threads", options.threads,
                 "Threads per rank; 0: the machine's cores shared by its ranks")
      ->check(non_negative)
      ->capture_default_str()
      ->group("Run");
  app.add_option("--repetitions", options.repetitions,
                 "Times the restoration is repeated, for times that can be trusted")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str()
      ->group("Run");
  app.add_option("--warmup", options.warmup,
                 "Iterations of each repetition that statistics of times leave out")
      ->check(non_negative)
      ->capture_default_str()
      ->group("Run");
  app.add_option("--out", options.out, "Folder for the results")
      ->capture_default_str()
      ->group("Run");
  app.add_option("--checkpoint-every", options.checkpoint_every,
                 "Iterations between two checkpoints in OUT; 0: none. SIGTERM and SIGUSR1 then end "
                 "the run after the iteration, with exit code 75")
      ->check(non_negative)
      ->capture_default_str()
      ->group("Run");
  app.add_flag("--resume", options.resume,
               "Go on from the checkpoint in OUT, if there is one; writes one every 10 iterations "
               "unless --checkpoint-every says otherwise")
      ->group("Run");
  app.add_flag("--save-npy", options.save_npy, "Also write x.npy, truth.npy and measurements.npy")
      ->group("Run");
  app.add_flag("--quiet", options.quiet, "Print errors only")->group("Run");
}

void add_report(CLI::App& app, Options& options) {
  app.add_flag("--no-report", options.no_report, "Do not write OUT/report.html")->group("Report");
  app.add_option("--report", options.report,
                 "Write one OUT/report.html over these folders of earlier runs, and stop")
      ->expected(1, 1 << 20)
      ->group("Report");
}

void add_plan(CLI::App& app, Options& options) {
  app.add_flag("--plan", options.plan, "Print how the run would scale with the ranks, and stop")
      ->group("Planning");
  app.add_option("--ranks", options.ranks, "Numbers of ranks to plan for, e.g. 1,2,4")
      ->delimiter(',')
      ->check(CLI::Range(1, 1 << 20))
      ->group("Planning");
  app.add_option("--bandwidth", options.bandwidth_gb_per_s, "Between ranks, in GB/s")
      ->check(positive)
      ->capture_default_str()
      ->group("Planning");
  app.add_option("--latency", options.latency_us, "Between ranks, in microseconds")
      ->check(non_negative)
      ->capture_default_str()
      ->group("Planning");
}

void add_grid(CLI::App& app, GridOptions& grid) {
  app.add_option("--config", grid.config,
                 "Run the grid of this YAML file, each row by itself into OUT/ROW; other options "
                 "override the file. The same command again goes on where it stopped")
      ->group("Grid");
  app.add_flag("--dry-run", grid.dry_run,
               "Print what would run and the tiles of each row, and stop")
      ->needs("--config")
      ->group("Grid");
  app.add_option("--submit", grid.submit, "slurm: submit each row as a job of its own")
      ->check(CLI::IsMember({"slurm"}))
      ->needs("--config")
      ->group("Grid");
  app.add_option("--parallel-config", grid.parallel_config,
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
    add_method(app_, options, preset_, step_);
    add_distribution(app_, options);
    add_run(app_, options);
    add_report(app_, options);
    add_grid(app_, options.grid);
    add_plan(app_, options);
  }

  CLI::App& app() { return app_; }

  /// After parsing: what presets, solvers and bounds leave, and the options as arguments again.
  void settle() {
    settle_method();
    options_.image_size_given = app_.count("--image-size") > 0;
    if (options_.max_image_size > 0) {
      options_.image_size = std::min(options_.image_size, options_.max_image_size);
    }
    if (!options_.image.empty() && !options_.truth.empty()) {
      throw CLI::ValidationError("--truth", "stands in the place of --image: give one of them");
    }
    if (options_.prior == "red" && options_.solver != "pnp") {
      throw CLI::ValidationError("--prior", "red is for --solver pnp");
    }
    if (options_.fidelity == "clipped" && !(options_.noise_level > 0)) {
      throw CLI::ValidationError("--fidelity", "clipped needs a positive --noise-level");
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
    for (const CLI::Option* option : app_.get_options()) list(*option);
  }

 private:
  void settle_method() {
    const Defaults chosen = defaults(preset_, options_.solver, options_.prior);
    const bool level_given = app_.count("--denoiser-sigma") > 0;
    if (!level_given) options_.denoiser_sigma = chosen.denoiser_sigma;
    if (app_.count("--denoiser-sigma-start") > 0) {
      check_start();
    } else if (!level_given) {
      options_.denoiser_sigma_start = chosen.denoiser_sigma_start;
    }
    if (app_.count("--iterations") == 0) options_.iterations = chosen.iterations;
    if (app_.count("--dpir-weight") == 0) options_.dpir_weight = chosen.dpir_weight;
    options_.step_size = chosen.step_size;
    settle_step();
    if (app_.count("--init-method") == 0 && is_plug_and_play() && !options_.step_size) {
      options_.init_method = "adjoint";  // has the mean brightness, which a long step overshoots
    }
  }

  bool is_plug_and_play() const { return options_.solver == "pnp" && options_.prior == "pnp"; }

  void settle_step() {
    if (app_.count("--step-size") == 0) return;
    options_.step_size.reset();
    if (step_ == "auto") return;
    double value = 0;
    if (!CLI::detail::lexical_cast(step_, value) || !(value > 0)) {
      throw CLI::ValidationError("--step-size",
                                 "is " + step_ + ", expected auto or a positive number");
    }
    options_.step_size = value;
  }

  void check_start() const {
    constexpr const char* name = "--denoiser-sigma-start";
    if (!is_plug_and_play()) {
      throw CLI::ValidationError(name, "is for --solver pnp with --prior pnp");
    }
    if (!(options_.denoiser_sigma > 0)) {
      throw CLI::ValidationError(name, "needs a positive --denoiser-sigma, where levels end");
    }
  }

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
    if (is_flag(option)) {
      if (option.count() > 0) options_.arguments.push_back(name);
      return;
    }
    const std::string value = final_value(option, name);
    if (value.empty()) return;
    options_.arguments.push_back(name);
    options_.arguments.push_back(value);
  }

  static bool is_flag(const CLI::Option& option) { return option.get_expected_max() == 0; }

  /// What the option stands at; empty: nothing.
  std::string final_value(const CLI::Option& option, const std::string& name) const {
    const bool is_given = option.count() > 0;
    if (name == "--image-size") {
      // A .npy truth brings its own size, unless one is given.
      return is_given || options_.truth.empty() ? fmt::format("{}", options_.image_size) : "";
    }
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
  std::string step_ = "auto";
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
