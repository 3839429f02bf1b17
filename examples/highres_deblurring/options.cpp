#include "options.hpp"

#include <CLI/CLI.hpp>
#include <iostream>

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
  std::optional<double> step_size;
  std::int64_t iterations;
};

Defaults defaults(const std::string& preset, const std::string& solver) {
  if (preset == "seed") return {0.005, 0.1, 10};
  if (solver == "dpir") return {0.05, std::nullopt, 8};
  return {0.05, std::nullopt, 30};
}

void add_problem(CLI::App& app, Options& options) {
  app.add_option("--image", options.image,
                 "Photograph (PNG, JPEG or TIFF); without one, a synthetic scene")
      ->group("Problem");
  app.add_option("--image-size", options.image_size,
                 "Larger side in pixels, the image is scaled to it")
      ->check(CLI::Range(8, 1 << 20))
      ->capture_default_str()
      ->group("Problem");
  app.add_option("--num-operators", options.num_operators, "Number of blurred measurements")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str()
      ->group("Problem");
  app.add_option("--noise-level", options.noise_level,
                 "Standard deviation of the noise, intensities 0 to 1")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str()
      ->group("Problem");
  app.add_option("--seed", options.seed, "Measurement i draws its noise from seed + i")
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
  app.add_option("--denoiser", options.denoiser, "Prior")
      ->check(CLI::IsMember({"drunet", "dncnn", "tv"}))
      ->capture_default_str()
      ->group("Method");
  app.add_option("--weights", options.weights,
                 "Weights file (.safetensors or .pth); without one, the installed weights")
      ->group("Method");
  app.add_option("--denoiser-sigma", options.denoiser_sigma,
                 "Noise level given to the denoiser [0.05; seed: 0.005]")
      ->check(CLI::NonNegativeNumber)
      ->group("Method");
  app.add_option("--step-size", step, "Gradient step, or auto: 1 / ||A||^2 [auto; seed: 0.1]")
      ->group("Method");
  app.add_option("--init-method", options.init_method, "Starting point")
      ->check(CLI::IsMember({"zeros", "adjoint", "pseudo_inverse"}))
      ->capture_default_str()
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
      ->check(CLI::PositiveNumber)
      ->capture_default_str()
      ->group("Distribution");
  app.add_option("--overlap", options.overlap, "Context around a tile in pixels")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str()
      ->group("Distribution");
  app.add_option("--max-batch-size", options.max_batch_size,
                 "Tiles denoised at once; 0: as many as memory allows")
      ->check(CLI::NonNegativeNumber)
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
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str()
      ->group("Run");
  app.add_option("--out", options.out, "Folder for the results")
      ->capture_default_str()
      ->group("Run");
  app.add_flag("--save-npy", options.save_npy, "Also write x.npy, truth.npy and measurements.npy")
      ->group("Run");
  app.add_flag("--quiet", options.quiet, "Print errors only")->group("Run");
}

void add_plan(CLI::App& app, Options& options) {
  app.add_flag("--plan", options.plan, "Print how the run would scale with the ranks, and stop")
      ->group("Planning");
  app.add_option("--ranks", options.ranks, "Numbers of ranks to plan for, e.g. 1,2,4")
      ->delimiter(',')
      ->check(CLI::Range(1, 1 << 20))
      ->group("Planning");
  app.add_option("--bandwidth", options.bandwidth_gb_per_s, "Between ranks, in GB/s")
      ->check(CLI::PositiveNumber)
      ->capture_default_str()
      ->group("Planning");
  app.add_option("--latency", options.latency_us, "Between ranks, in microseconds")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str()
      ->group("Planning");
}

}  // namespace

std::optional<int> parse(int argc, char** argv, bool is_root, Options& options) {
  CLI::App app(description, "highres_deblurring");
  app.set_version_flag("--version", "highres_deblurring (tessera " TESSERA_VERSION ")");
  app.get_formatter()->column_width(34);
  std::string preset = "default";
  std::string step = "auto";
  add_problem(app, options);
  add_method(app, options, preset, step);
  add_distribution(app, options);
  add_run(app, options);
  add_plan(app, options);
  try {
    app.parse(argc, argv);
    const Defaults chosen = defaults(preset, options.solver);
    if (app.count("--denoiser-sigma") == 0) options.denoiser_sigma = chosen.denoiser_sigma;
    if (app.count("--iterations") == 0) options.iterations = chosen.iterations;
    options.step_size = chosen.step_size;
    if (app.count("--step-size") > 0) {
      options.step_size.reset();
      double value = 0;
      if (step != "auto" && (!CLI::detail::lexical_cast(step, value) || !(value > 0))) {
        throw CLI::ValidationError("--step-size",
                                   "is " + step + ", expected auto or a positive number");
      }
      if (step != "auto") options.step_size = value;
    }
    options.image_size_given = app.count("--image-size") > 0;
    if (!options.image.empty() && !options.truth.empty()) {
      throw CLI::ValidationError("--truth", "stands in the place of --image: give one of them");
    }
  } catch (const CLI::ParseError& error) {
    std::ostream nowhere(nullptr);
    return app.exit(error, is_root ? std::cout : nowhere, is_root ? std::cerr : nowhere);
  }
  return std::nullopt;
}
