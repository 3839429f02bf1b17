// SPDX-License-Identifier: BSD-3-Clause
#include "method.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <array>
#include <optional>

namespace {

/// What only --solver pnp has.
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

Defaults defaults(const Options& options) {
  if (options.preset == Preset::published) return {0.005, std::nullopt, 0.1, 10, 0.23};
  if (options.solver == SolverKind::dpir) return {0.01, std::nullopt, std::nullopt, 8};
  if (options.prior == PriorKind::red) return {0.1, std::nullopt, std::nullopt, 30};
  return {0.01, 0.1, std::nullopt, 30};
}

/// The work on one method.
class Method {
 public:
  Method(Options& options, const std::function<bool(const std::string&)>& is_given)
      : options_(options), is_given_(is_given) {}

  void settle() {
    choose_solver();
    refuse_what_the_solver_lacks();
    if (!is_given_("--fidelity")) {
      // Each of its steps has several solutions of least squares, slow ones but for a circular
      // border.
      const bool is_clipped =
          options_.solver == SolverKind::dpir && !options_.plan && is_circular();
      options_.fidelity = is_clipped ? FidelityKind::clipped : FidelityKind::l2;
    }
    if (options_.fidelity == FidelityKind::clipped && !(options_.noise_level > 0)) {
      throw CLI::ValidationError("--fidelity", "clipped needs a positive --noise-level");
    }
    const Defaults chosen = defaults(options_);
    settle_levels(chosen);
    if (!is_given_("--iterations")) options_.iterations = chosen.iterations;
    if (!is_given_("--dpir-weight")) options_.dpir_weight = chosen.dpir_weight;
    if (!is_given_("--step-size")) options_.step_size = chosen.step_size;
    const bool has_long_steps = is_plug_and_play() && !options_.step_size;
    if (!is_given_("--init-method") && (has_long_steps || !is_circular())) {
      // Has the mean brightness, which a long step overshoots and a frame that nothing sees keeps.
      options_.init_method = InitMethod::adjoint;
    }
  }

 private:
  bool is_circular() const { return options_.border == tessera::Padding::circular; }

  bool is_plug_and_play() const {
    return options_.solver == SolverKind::pnp && options_.prior == PriorKind::pnp;
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
    implied_by_ = reason_for_pnp();
    options_.solver = implied_by_.empty() ? SolverKind::dpir : SolverKind::pnp;
  }

  void refuse_what_the_solver_lacks() const {
    if (options_.solver == SolverKind::pnp) {
      if (!is_given_("--dpir-weight")) return;
      const std::string reason =
          implied_by_.empty() ? "" : fmt::format("; {} asks for --solver pnp", implied_by_);
      throw CLI::ValidationError("--dpir-weight", "is for --solver dpir" + reason);
    }
    for (const char* name : of_gradient_steps) {
      if (is_given_(name)) throw CLI::ValidationError(name, "is for --solver pnp");
    }
    if (options_.prior == PriorKind::red) {
      throw CLI::ValidationError("--prior", "red is for --solver pnp");
    }
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
    if (!is_plug_and_play()) {
      throw CLI::ValidationError(name, "is for --solver pnp with --prior pnp");
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
