// SPDX-License-Identifier: BSD-3-Clause
#include <algorithm>

#include "options.hpp"

namespace {

using settings::many;
using settings::Role;
using settings::unbounded;
using Make = settings::Members<Options>;
using enum settings::Section;

constexpr auto always = settings::always<Options>;

/// Levels of noise in an image.
const settings::Bounds level{
    .high = 1, .open = true, .hint = ", of intensities 0 to 1: 25 of 255 is 0.098"};
const settings::Bounds step{.open = true, .hint = ", or auto"};

bool of_tomography(const Options& options) {
  return options.is_tomography();
}
bool of_mri(const Options& options) {
  return options.problem == ProblemKind::mri;
}
bool of_radio(const Options& options) {
  return options.problem == ProblemKind::radio;
}
bool by_hqs(const Options& options) {
  return options.solver == SolverKind::hqs;
}
bool by_pnp(const Options& options) {
  return options.solver == SolverKind::pnp;
}
bool by_variation(const Options& options) {
  return options.solver == SolverKind::primal_dual;
}
bool by_denoiser(const Options& options) {
  return !by_variation(options);
}
bool is_made(const Options& options) {
  return options.truth.empty();
}

/// A setting is a line here and a member of UserSettings.
settings::Table<Options> make_table() {
  // clang-format off
  const settings::Table<Options> rows = {
      {.name = "problem", .group = "Problem", .member = Make::word(&Options::problem), .identifies = always,
       .help = "tomography_2d: line integrals along parallel rays; tomography_3d: along the rays of a cone; mri: k-space of several coils, undersampled; radio: visibilities of an interferometer; noisy_volume: noisy copies of a volume"},
      {.name = "image", .group = "Problem", .member = Make::path(&Options::image), .section = dataset,
       .help = "Picture (PNG, JPEG or TIFF), made grey; without one, a phantom"},
      {.name = "truth", .group = "Problem", .member = Make::path(&Options::truth), .section = dataset,
       .help = "File .npy (H, W), or (D, H, W) of tomography_3d and noisy_volume, instead of the image"},
      {.name = "image_size", .group = "Problem", .member = Make::integer(&Options::image_size, 8, many), .section = dataset, .applies = is_made, .identifies = always,
       .help = "Side in pixels"},
      {.name = "max_image_size", .group = "Problem", .member = Make::integer(&Options::max_image_size, 0, unbounded), .role = Role::stand_in,
       .help = "Bound on the image size, for quick tests; 0: none"},
      {.name = "num_operators", .group = "Problem", .member = Make::integer(&Options::num_operators, 1, many), .section = dataset, .identifies = always,
       .help = "Parts that the data are cut into, which ranks share: views, coils, or antenna pairs; copies of noisy_volume"},
      {.name = "views", .group = "Problem", .member = Make::integer(&Options::views, 1, many), .section = dataset, .alias = "num_angles", .applies = of_tomography, .identifies = of_tomography,
       .help = "Directions, over 180 degrees, or a full turn of tomography_3d"},
      {.name = "coils", .group = "Problem", .member = Make::integer(&Options::coils, 1, many), .section = dataset, .applies = of_mri, .identifies = of_mri,
       .help = "Receiver coils around the object"},
      {.name = "acceleration", .group = "Problem", .member = Make::number(&Options::acceleration, {.low = 1}), .section = dataset, .applies = of_mri, .identifies = of_mri,
       .help = "Lines of k-space for one that is measured"},
      {.name = "antennas", .group = "Problem", .member = Make::integer(&Options::antennas, 2, 4096), .section = dataset, .applies = of_radio, .identifies = of_radio,
       .help = "Of the interferometer, on three arms"},
      {.name = "hours", .group = "Problem", .member = Make::integer(&Options::hours, 1, many), .section = dataset, .applies = of_radio, .identifies = of_radio,
       .help = "Times at which every pair of antennas is read, over eight hours"},
      {.name = "noise_level", .group = "Problem", .member = Make::number(&Options::noise_level, settings::more_than_zero), .section = dataset, .help_has_default = true, .identifies = always,
       .help = "Standard deviation of the noise in units of the data, complex ones: of each part: line integrals where a side has the length 1, orthonormal k-space, visibilities where the peak of the image is 1 [tomography: 0.005; mri: 0.02; radio: 2; noisy_volume: 0.1]"},
      {.name = "seed", .group = "Problem", .member = Make::seed(&Options::seed), .section = dataset, .identifies = always,
       .help = "Of the noise, and of what is drawn besides: lines of k-space, sources"},
      {.name = "vectors", .group = "Problem", .member = Make::path(&Options::vectors), .section = dataset, .applies = of_tomography,
       .help = "File .npy (views, 12): source, centre of the detector, steps to the next column and row, of a scan that was made; the unit is a voxel. With --truth and --measurements"},
      {.name = "measurements", .group = "Problem", .member = Make::path(&Options::measurements), .section = dataset, .applies = of_tomography,
       .help = "File .npy (views, rows, columns) with its data, line integrals per voxel"},

      {.name = "solver", .group = "Method", .member = Make::word(&Options::solver), .help_has_default = true, .identifies = always,
       .help = "hqs: half-quadratic splitting with the denoiser at falling levels; pnp: proximal gradient with it; primal_dual: total variation [hqs; tomography_3d: primal_dual]"},
      {.name = "prior_weight", .group = "Method", .member = Make::number(&Options::prior_weight, settings::more_than_zero), .section = solver, .applies = by_hqs, .identifies = by_hqs,
       .help = "Weight of the prior of hqs against the data"},
      {.name = "tv_weight", .group = "Method", .member = Make::number(&Options::tv_weight, settings::more_than_zero), .section = solver, .applies = by_variation, .identifies = by_variation,
       .help = "Weight of the total variation against the negative log-likelihood of the measurements"},
      {.name = "denoiser", .group = "Method", .member = Make::word(&Options::denoiser), .section = solver, .help_has_default = true, .applies = by_denoiser, .identifies = by_denoiser,
       .help = "Denoiser of hqs and pnp; of volumes a network for pictures is inflated [drunet; tomography_3d: tv]"},
      {.name = "weights", .group = "Method", .member = Make::path(&Options::weights), .section = solver, .applies = by_denoiser,
       .help = "Weights file of grey images (.safetensors or .pth; for script a network, .pt or .pt2); without one, the installed weights"},
      {.name = "denoiser_sigma", .group = "Method", .member = Make::number(&Options::denoiser_sigma, level), .section = solver, .applies = by_denoiser, .identifies = by_denoiser,
       .help = "Noise level that the denoiser is given in the last iteration"},
      {.name = "denoiser_sigma_start", .group = "Method", .member = Make::number(&Options::denoiser_sigma_start, level), .section = solver, .applies = by_denoiser, .identifies = by_denoiser,
       .help = "Noise level that it is given in the first"},
      {.name = "lambda_relaxation", .group = "Method", .member = Make::number(&Options::lambda_relaxation, settings::more_than_zero), .section = solver, .applies = by_pnp, .identifies = by_pnp,
       .help = "Weight of the denoiser D of pnp: (z + t D(z)) / (1 + t) for t = step times weight; without one, D(z)"},
      {.name = "step_size", .group = "Method", .member = Make::number(&Options::step_size, step, "auto"), .section = solver, .applies = by_pnp, .identifies = by_pnp,
       .help = "Step of pnp, or auto: 1.6 / ||A||^2"},
      {.name = "init_method", .group = "Method", .member = Make::word(&Options::init_method), .section = solver, .identifies = always,
       .help = "Starting point; linear: the filtered back-projection, the zero-filled image, the dirty image, the mean of the copies"},
      {.name = "iterations", .group = "Method", .member = Make::integer(&Options::iterations, 1, 1 << 30), .section = solver, .key = "n_iter", .help_has_default = true, .identifies = by_denoiser,
       .help = "Iterations [hqs: 20; pnp: 100; primal_dual: 300]"},
  };
  // clang-format on
  return joined(rows, restoration::run_rows<Options>());
}

constexpr const char* description =
    "Reconstructs an image that was measured indirectly: by line integrals (tomography), in "
    "k-space "
    "(magnetic\n"
    "resonance imaging), or by pairs of antennas (radio interferometry); or a volume of which "
    "there "
    "are noisy copies.\n"
    "The data are simulated from a phantom or a picture; the reconstruction stands beside the "
    "linear one. Under mpiexec the ranks share the "
    "data and the\n"
    "tiles of the denoiser.";

std::int64_t default_iterations(SolverKind solver) {
  return solver == SolverKind::hqs ? 20 : solver == SolverKind::pnp ? 100 : 300;
}

double default_noise(ProblemKind problem) {
  if (problem == ProblemKind::mri) return 0.02;
  if (problem == ProblemKind::noisy_volume) return 0.1;
  return problem == ProblemKind::radio ? 2 : 0.005;
}

void settle(Options& options, const settings::IsGiven& is_given) {
  if (!is_given("--noise-level")) options.noise_level = default_noise(options.problem);
  if (options.max_image_size > 0) {
    options.image_size = std::min(options.image_size, options.max_image_size);
  }
  if (options.problem == ProblemKind::tomography_3d) {
    if (!is_given("--solver")) options.solver = SolverKind::primal_dual;
    if (!is_given("--denoiser")) options.denoiser = DenoiserKind::tv;
  }
  if (by_variation(options)) {
    options.denoiser = DenoiserKind::tv;
    options.distribute_denoiser = false;
  }
  if (!is_given("--iterations")) options.iterations = default_iterations(options.solver);
  const bool is_measured = !options.measurements.empty();
  if (is_measured != !options.vectors.empty() || (is_measured && options.truth.empty())) {
    throw CLI::ValidationError(is_measured ? "--measurements" : "--vectors",
                               "goes with --vectors, --measurements and --truth: give all of them");
  }
  if (!options.image.empty() && (!options.truth.empty() || options.is_volume())) {
    throw CLI::ValidationError("--image", options.is_volume()
                                              ? "is a picture, and the problem needs a volume: "
                                                "give --truth"
                                              : "stands for --truth: give one of them");
  }
  restoration::check_together(options);
}

}  // namespace

const settings::Table<Options>& table() {
  static const settings::Table<Options> rows = make_table();
  return rows;
}

const settings::Program<Options>& command_line() {
  static const settings::Program<Options> program{"scan_reconstruction", description, table(),
                                                  settle};
  return program;
}
