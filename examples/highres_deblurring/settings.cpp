// SPDX-License-Identifier: BSD-3-Clause
#include "boxes.hpp"
#include "options.hpp"

namespace {

using settings::many;
using settings::Role;
using settings::unbounded;
using Make = settings::Members<Options>;
using enum settings::Section;

constexpr auto always = settings::always<Options>;

/// Levels of noise.
const settings::Bounds level{.high = 1, .hint = ", of intensities 0 to 1: 25 of 255 is 0.098"};
const settings::Bounds positive_level{.high = 1, .open = true, .hint = level.hint};
const settings::Bounds step{.open = true, .hint = ", or auto"};

bool of_superres(const Options& options) {
  return options.problem == ProblemKind::multiframe_superres;
}
bool by_dpir(const Options& options) {
  return options.solver == SolverKind::dpir;
}
bool by_gradient_steps(const Options& options) {
  return options.solver == SolverKind::pnp;
}
bool by_other_than_dpir(const Options& options) {
  return !by_dpir(options) && options.solver != SolverKind::mlem;
}
bool by_variation(const Options& options) {
  return options.prior == PriorKind::tv;
}
bool by_weighted_prior(const Options& options) {
  return options.prior == PriorKind::ridge || options.prior == PriorKind::wavelet;
}
/// The prior is given levels that do not follow from the noise.
bool by_levels(const Options& options) {
  const bool takes_levels =
      options.solver == SolverKind::proximal_gradient || options.solver == SolverKind::admm;
  const bool has_levels = options.prior == PriorKind::pnp || options.prior == PriorKind::ridge;
  return by_gradient_steps(options) || (takes_levels && has_levels);
}
bool by_chosen_levels(const Options& options) {
  return by_gradient_steps(options) || restoration::levels_may_fall(options.solver, options.prior);
}
bool by_prior(const Options& options) {
  return options.solver != SolverKind::mlem;
}
bool by_red(const Options& options) {
  return options.prior == PriorKind::red;
}
bool levels_fall(const Options& options) {
  return options.denoiser_sigma_start.has_value();
}
/// Levels depend on the number of iterations.
bool levels_vary(const Options& options) {
  return by_dpir(options) || levels_fall(options);
}
bool by_boxes(const Options& options) {
  return options.distribute_image;
}
bool has_own_halo(const Options& options) {
  return by_boxes(options) || options.denoiser_halo == DenoiserHalo::layers;
}
/// A .npy truth brings its own size, unless one is given.
bool is_scaled(const Options& options) {
  return options.truth.empty() || options.image_size_given;
}

/// A setting is a line here and a member of UserSettings.
settings::Table<Options> make_table() {
  // clang-format off
  const settings::Table<Options> rows = {
      {.name = "problem", .group = "Problem", .member = Make::word(&Options::problem), .identifies = always,
       .help = "highres_blur: blurs along several directions; multiframe_superres: several frames of lower resolution"},
      {.name = "image", .group = "Problem", .member = Make::path(&Options::image), .section = dataset,
       .help = "Photograph (PNG, JPEG or TIFF); without one, a synthetic scene"},
      {.name = "page", .group = "Problem", .member = Make::integer(&Options::page, unbounded),
       .help = "Which picture of an image file that holds several, from 1; 0: the largest"},
      {.name = "image_size", .group = "Problem", .member = Make::integer(&Options::image_size, 8, many), .section = dataset, .applies = is_scaled, .identifies = always,
       .help = "Larger side in pixels, the image is scaled to it"},
      {.name = "max_image_size", .group = "Problem", .member = Make::integer(&Options::max_image_size, 0, unbounded), .role = Role::stand_in,
       .help = "Bound on the image size, for quick tests; 0: none"},
      {.name = "num_operators", .group = "Problem", .member = Make::integer(&Options::num_operators, 1, many), .section = dataset, .identifies = always,
       .help = "Number of measurements: blurred photographs, or frames"},
      {.name = "factor", .group = "Problem", .member = Make::integer(&Options::factor, 1, 1024), .section = dataset, .applies = of_superres, .identifies = of_superres,
       .help = "Pixels of the image for one of a frame, along each side (multiframe_superres)"},
      {.name = "border", .group = "Problem", .member = Make::word(&Options::border), .section = dataset, .identifies = always,
       .help = "What the image continues with when it is blurred: circular: its opposite side; valid: nothing, measurements are smaller"},
      {.name = "noise", .group = "Problem", .member = Make::word(&Options::noise), .section = dataset, .identifies = always,
       .help = "gaussian; poisson: counts whose standard deviation is noise-level in white; salt_and_pepper: that share of black and white pixels. Then clipped to 0 to 1"},
      {.name = "noise_level", .group = "Problem", .member = Make::number(&Options::noise_level, level), .section = dataset, .identifies = always,
       .help = "Standard deviation of the noise, intensities 0 to 1"},
      {.name = "seed", .group = "Problem", .member = Make::seed(&Options::seed), .section = dataset, .identifies = always,
       .help = "Of the noise; measurement i draws from its stream i"},
      {.name = "truth", .group = "Problem", .member = Make::path(&Options::truth), .section = dataset,
       .help = "File .npy (3, H, W) instead of the image"},
      {.name = "measurements", .group = "Problem", .member = Make::path(&Options::measurements), .section = dataset,
       .help = "File .npy (N, 3, H, W) instead of the simulation; frames are H / factor x W / factor"},

      {.name = "preset", .group = "Method", .member = Make::word(&Options::preset, {{"seed", "published"}}), .role = Role::stand_in,
       .help = "published: the benchmark as published, --solver pnp with step 0.1, sigma 0.005, 10 iterations"},
      {.name = "solver", .group = "Method", .member = Make::word(&Options::solver), .identifies = always,
       .help = "dpir: half-quadratic splitting; pnp: proximal gradient, implied by options that only it has; proximal_gradient (FISTA), admm, primal_dual: minimise an objective, with total variation, which implies the last, or another prior; mlem: maximum likelihood of counts"},
      {.name = "fidelity", .group = "Method", .member = Make::word(&Options::fidelity), .section = solver, .help_has_default = true, .identifies = always,
       .help = "l2: least squares; clipped: knows that measurements were clipped to 0 to 1, restores better; poisson: of counts; absolute: shrugs off gross errors [dpir with a circular border: clipped; mlem: poisson; else l2]"},
      {.name = "prior", .group = "Method", .member = Make::word(&Options::prior), .section = solver, .help_has_default = true, .applies = by_prior, .identifies = by_other_than_dpir,
       .help = "pnp: the denoiser as proximal operator; red: regularisation by denoising, by gradient descent (implies --solver pnp); tv: total variation; ridge: a learned sum of potentials, wavelet: sparse in wavelets, of even sides (both imply --solver proximal_gradient) [dpir, pnp: pnp; else tv]"},
      {.name = "red_weight", .group = "Method", .member = Make::number(&Options::red_weight, settings::zero_or_more), .section = solver, .applies = by_gradient_steps, .identifies = by_red,
       .help = "Weight of the red prior against the data (implies --prior red)"},
      {.name = "dpir_weight", .group = "Method", .member = Make::number(&Options::dpir_weight, settings::more_than_zero), .section = solver, .help_has_default = true, .applies = by_dpir, .identifies = by_dpir,
       .help = "Weight of dpir's prior against the data, lambda in the paper [0.1; published: 0.23]"},
      {.name = "tv_weight", .group = "Method", .member = Make::number(&Options::tv_weight, settings::more_than_zero), .section = solver, .applies = by_variation, .identifies = by_variation,
       .help = "Weight of the total variation against the negative log-likelihood of the measurements"},
      {.name = "prior_weight", .group = "Method", .member = Make::number(&Options::prior_weight, settings::more_than_zero), .section = solver, .help_has_default = true, .applies = by_weighted_prior, .identifies = by_weighted_prior,
       .help = "Weight of the priors ridge, over denoiser-sigma squared, and wavelet against the negative log-likelihood of the measurements [ridge: 1; wavelet: 8]"},
      {.name = "denoiser", .group = "Method", .member = Make::word(&Options::denoiser), .section = solver, .identifies = always,
       .help = "Denoiser; ridge: the proximal operator of the prior of that name"},
      {.name = "weights", .group = "Method", .member = Make::path(&Options::weights), .section = solver,
       .help = "Weights file (.safetensors or .pth; for script a network, .pt or .pt2); without one, the installed weights"},
      {.name = "denoiser_sigma", .group = "Method", .member = Make::number(&Options::denoiser_sigma, level), .section = solver, .help_has_default = true, .applies = by_levels, .identifies = by_levels,
       .help = "Noise level that pnp gives to the denoiser, in the last iteration, or that of the prior ridge; implies --solver pnp [0.01; red: 0.1; published: 0.005; ridge, admm: 0.05]"},
      {.name = "denoiser_sigma_start", .group = "Method", .member = Make::number(&Options::denoiser_sigma_start, positive_level), .section = solver, .help_has_default = true, .applies = by_chosen_levels, .identifies = levels_fall,
       .help = "Noise level that the prior pnp begins with; implies --solver pnp [0.1; if --denoiser-sigma is given: the same]"},
      {.name = "step_size", .group = "Method", .member = Make::number(&Options::step_size, step, "auto"), .section = solver, .help_has_default = true, .applies = by_gradient_steps, .identifies = by_gradient_steps,
       .help = "Step of pnp, or auto: 1.6 / ||A||^2, red: 1 / (||A||^2 + weight); implies --solver pnp [auto; published: 0.1]"},
      {.name = "init_method", .group = "Method", .member = Make::word(&Options::init_method), .section = solver, .help_has_default = true, .identifies = always,
       .help = "Starting point [zeros; pnp with an automatic step, borders that are not circular: adjoint]"},
      {.name = "iterations", .group = "Method", .member = Make::integer(&Options::iterations, 1, 1 << 30), .section = solver, .key = "n_iter", .help_has_default = true, .identifies = levels_vary,
       .help = "Iterations [dpir: 8; pnp: 30; published: 10; primal_dual: 200; others: 50]"},
  };
  const settings::Table<Options> sharing = {
      {.name = "distribute_image", .group = "Distribution", .member = Make::flag(&Options::distribute_image), .section = solver, .identifies = by_boxes,
       .help = "Give each rank a box of the image, which no rank then has whole: for images that do not fit one. Pictures are reduced, x.npy is always written"},
      {.name = "denoiser_halo", .group = "Distribution", .member = Make::word(&Options::denoiser_halo), .section = solver, .applies = denoises, .identifies = has_own_halo,
       .help = "What a denoiser sees beyond a rank's part: context: tiles with overlap pixels around them; layers: features exchanged between its layers, as untiled (drunet, dncnn); auto: with --distribute-image, several ranks and such a network layers, else context"},
  };
  const settings::Table<Options> planning = {
      {.name = "plan", .group = "Planning", .member = Make::flag(&Options::plan), .role = Role::mode,
       .help = "Print how the run would scale with the ranks, and stop"},
      {.name = "ranks", .group = "Planning", .member = Make::integers(&Options::ranks, 1, many), .role = Role::of_mode,
       .help = "Numbers of ranks to plan for, e.g. 1,2,4"},
      {.name = "bandwidth", .group = "Planning", .member = Make::number(&Options::bandwidth, settings::more_than_zero), .role = Role::of_mode,
       .help = "Between ranks, in GB/s"},
      {.name = "latency", .group = "Planning", .member = Make::number(&Options::latency, settings::zero_or_more), .role = Role::of_mode,
       .help = "Between ranks, in microseconds"},
  };
  // clang-format on
  return joined(joined(joined(rows, sharing), restoration::run_rows<Options>()), planning);
}

}  // namespace

const settings::Table<Options>& table() {
  static const settings::Table<Options> rows = make_table();
  return rows;
}
