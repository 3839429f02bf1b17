// SPDX-License-Identifier: BSD-3-Clause
#include "method.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <array>
#include <optional>

namespace {

/// What only --solver pnp has, but for the levels, which priors of other solvers have too.
constexpr std::array<const char*, 4> of_gradient_steps = {"--step-size", "--denoiser-sigma",
                                                          "--denoiser-sigma-start", "--red-weight"};

/// What a preset or solver chooses for the settings that the command line leaves open.
struct Defaults {
  double denoiser_sigma;
  std::optional<double> denoiser_sigma_start;
  std::optional<double> step_size;
  std::int64_t iterations;
  double dpir_weight = 0.1;  // a little better than the published one where measurements are many
};

/// What restores the synthetic scene of 256 pixels well, at the default noise.
double default_prior_weight(PriorKind prior) {
  return prior == PriorKind::ridge ? 1 : 8;
}

Defaults defaults(const Options& options) {
  if (options.preset == Preset::published) return {0.005, std::nullopt, 0.1, 10, 0.23};
  if (options.solver == SolverKind::dpir) return {0.01, std::nullopt, std::nullopt, 8};
  if (options.solver == SolverKind::primal_dual) return {0.05, std::nullopt, std::nullopt, 200};
  if (options.prior == PriorKind::red) return {0.1, std::nullopt, std::nullopt, 30};
  if (options.solver == SolverKind::pnp) return {0.01, 0.1, std::nullopt, 30};
  if (restoration::levels_may_fall(options.solver, options.prior)) {
    return {0.01, 0.1, std::nullopt, 50};  // shorter steps, as far altogether
  }
  return {0.05, std::nullopt, std::nullopt, 50};
}

/// The work on one method.
class Method {
 public:
  Method(Options& options, const std::function<bool(const std::string&)>& is_given)
      : options_(options), is_given_(is_given) {}

  void settle() {
    choose_solver();
    choose_prior();
    choose_fidelity();
    refuse_what_the_solver_lacks();
    const Defaults chosen = defaults(options_);
    settle_levels(chosen);
    if (!is_given_("--iterations")) options_.iterations = chosen.iterations;
    if (!is_given_("--dpir-weight")) options_.dpir_weight = chosen.dpir_weight;
    if (!is_given_("--prior-weight")) {
      options_.prior_weight = default_prior_weight(options_.prior);
    }
    if (!is_given_("--step-size")) options_.step_size = chosen.step_size;
    const bool has_long_steps = options_.solver == SolverKind::pnp &&
                                options_.prior == PriorKind::pnp && !options_.step_size;
    if (!is_given_("--init-method") && (has_long_steps || !is_circular() || minimises())) {
      // Has the mean brightness, which a long step overshoots and a frame that nothing sees keeps.
      options_.init_method = InitMethod::adjoint;
    }
  }

 private:
  bool is_circular() const { return options_.border == tessera::Padding::circular; }

  bool is_variation() const { return options_.prior == PriorKind::tv; }

  /// Whether the prior has --prior-weight.
  bool is_weighted() const {
    return options_.prior == PriorKind::ridge || options_.prior == PriorKind::wavelet;
  }

  /// Whether the prior is of one level, or of falling ones.
  bool has_levels() const {
    return options_.prior == PriorKind::pnp || options_.prior == PriorKind::red ||
           options_.prior == PriorKind::ridge;
  }

  /// Whether the solver minimises an objective.
  bool minimises() const {
    return options_.solver != SolverKind::dpir && options_.solver != SolverKind::pnp;
  }

  /// Whether the denoiser removes noise of the level that it was trained for, and of no other.
  bool has_one_level() const { return options_.denoiser == DenoiserKind::dncnn; }

  /// Why the solver is pnp though nobody said so; empty: it is not.
  std::string reason_for_pnp() const {
    for (const char* name : of_gradient_steps) {
      if (is_given_(name)) return name;
    }
    if (options_.prior == PriorKind::red) return "--prior red";
    if (options_.preset == Preset::published) return "--preset published";
    if (has_one_level()) return "--denoiser dncnn";
    return options_.noise_level > 0 ? "" : "--noise-level 0";
  }

  void choose_solver() {
    if (is_given_("--solver")) return;
    if (is_given_("--red-weight") && !is_given_("--prior")) options_.prior = PriorKind::red;
    if (is_weighted()) {
      options_.solver = SolverKind::proximal_gradient;
      return;
    }
    if (options_.prior == PriorKind::tv || is_given_("--tv-weight") ||
        options_.noise == NoiseKind::salt_and_pepper ||
        !restoration::fit_together(SolverKind::pnp, options_.fidelity)) {
      options_.solver = SolverKind::primal_dual;
      return;
    }
    implied_by_ = reason_for_pnp();
    options_.solver = implied_by_.empty() ? SolverKind::dpir : SolverKind::pnp;
  }

  void choose_prior() {
    if (!is_given_("--prior") && minimises() && options_.solver != SolverKind::mlem) {
      options_.prior = PriorKind::tv;
    }
    const bool is_denoising = options_.prior == PriorKind::pnp || options_.prior == PriorKind::red;
    if (is_denoising && options_.solver != SolverKind::mlem) return;
    const DenoiserKind unused =
        options_.prior == PriorKind::ridge ? DenoiserKind::ridge : DenoiserKind::tv;
    if (!is_given_("--denoiser")) options_.denoiser = unused;
    if (options_.denoiser != unused) {
      throw CLI::ValidationError("--denoiser", "is for --prior pnp and red");
    }
    if (options_.distribute_denoiser.value_or(false)) {
      throw CLI::ValidationError("--distribute-denoiser", "is for --prior pnp and red");
    }
    options_.distribute_denoiser = false;
  }

  void choose_fidelity() {
    if (!is_given_("--fidelity")) options_.fidelity = fidelity_of_solver();
  }

  FidelityKind fidelity_of_solver() const {
    if (options_.solver == SolverKind::mlem) return FidelityKind::poisson;
    if (options_.solver == SolverKind::primal_dual) {
      if (options_.noise == NoiseKind::poisson) return FidelityKind::poisson;
      if (options_.noise == NoiseKind::salt_and_pepper) return FidelityKind::absolute;
    }
    // Each of its steps has several solutions of least squares, slow ones but for a circular
    // border.
    const bool is_clipped = options_.solver == SolverKind::dpir && !options_.plan && is_circular();
    return is_clipped ? FidelityKind::clipped : FidelityKind::l2;
  }

  /// "red is for --solver pnp", unless the solver can take it.
  template <typename Kind>
  void check_fits(const char* option, Kind kind) const {
    if (restoration::fit_together(options_.solver, kind)) return;
    std::string solvers;
    for (const auto& [solver, name] : settings::enum_names<SolverKind>) {
      if (!restoration::fit_together(solver, kind)) continue;
      solvers += fmt::format("{}{}", solvers.empty() ? "" : ", ", name);
    }
    throw CLI::ValidationError(
        option, fmt::format("{} is for --solver {}", settings::name_of(kind), solvers));
  }

  void refuse_what_the_solver_lacks() const {
    if (options_.solver != SolverKind::dpir && is_given_("--dpir-weight")) {
      const std::string reason =
          implied_by_.empty() ? "" : fmt::format("; {} asks for --solver pnp", implied_by_);
      throw CLI::ValidationError("--dpir-weight", "is for --solver dpir" + reason);
    }
    for (const std::string name : of_gradient_steps) {
      const bool has_it = options_.solver == SolverKind::pnp ||
                          (name == "--denoiser-sigma" && minimises() && has_levels()) ||
                          (name == "--denoiser-sigma-start" &&
                           restoration::levels_may_fall(options_.solver, options_.prior));
      if (is_given_(name) && !has_it) throw CLI::ValidationError(name, "is for --solver pnp");
    }
    if (is_given_("--tv-weight") && !is_variation()) {
      throw CLI::ValidationError("--tv-weight", "is for --prior tv");
    }
    if (is_given_("--prior-weight") && !is_weighted()) {
      throw CLI::ValidationError("--prior-weight", "is for --prior ridge and wavelet");
    }
    if (options_.solver != SolverKind::mlem || is_given_("--prior")) {
      check_fits("--prior", options_.prior);
    }
    check_fits("--fidelity", options_.fidelity);
    if (options_.solver == SolverKind::dpir) refuse_what_dpir_lacks();
    if (options_.fidelity == FidelityKind::clipped && !(options_.noise_level > 0)) {
      throw CLI::ValidationError("--fidelity", "clipped needs a positive --noise-level");
    }
  }

  void refuse_what_dpir_lacks() const {
    if (has_one_level()) {
      throw CLI::ValidationError("--denoiser",
                                 "dncnn knows one level of noise, --solver dpir needs many: give "
                                 "--solver pnp");
    }
    if (!(options_.noise_level > 0)) {
      throw CLI::ValidationError("--noise-level",
                                 "is 0, and --solver dpir takes its levels from the noise: give a "
                                 "positive one, or --solver pnp");
    }
  }

  void settle_levels(const Defaults& chosen) {
    const bool level_is_given = is_given_("--denoiser-sigma");
    if (!level_is_given) options_.denoiser_sigma = chosen.denoiser_sigma;
    if (!is_given_("--denoiser-sigma-start")) {
      const bool levels_fall = !level_is_given && !has_one_level();
      if (levels_fall) options_.denoiser_sigma_start = chosen.denoiser_sigma_start;
      return;
    }
    constexpr const char* name = "--denoiser-sigma-start";
    if (!restoration::levels_may_fall(options_.solver, options_.prior)) {
      throw CLI::ValidationError(name,
                                 "is for --solver pnp and proximal_gradient with --prior pnp");
    }
    if (has_one_level()) {
      throw CLI::ValidationError(name, "is for denoisers of any level; dncnn knows one");
    }
    if (!(options_.denoiser_sigma > 0)) {
      throw CLI::ValidationError(name, "needs a positive --denoiser-sigma, where levels end");
    }
  }

  Options& options_;
  const std::function<bool(const std::string&)>& is_given_;
  std::string implied_by_;
};

}  // namespace

void settle_method(Options& options, const std::function<bool(const std::string&)>& is_given) {
  Method(options, is_given).settle();
}
