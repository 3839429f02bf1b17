// SPDX-License-Identifier: BSD-3-Clause
#include "grid_program.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "parts.hpp"
#include "problem.hpp"
#include "tessera/io/default_weights.hpp"

grid::Vocabulary HighresProgram::make_vocabulary() const {
  grid::Vocabulary words;
  words.keys = keys();
  words.datasets = {{"highres_color_image", "highres_blur"},
                    {"multiframe_superres", "multiframe_superres"}};
  words.solvers = {{"PnP", "pnp"},
                   {"DPIR", "dpir"},
                   {"ProximalGradient", "proximal_gradient"},
                   {"ADMM", "admm"},
                   {"PrimalDual", "primal_dual"},
                   {"MLEM", "mlem"}};
  words.objectives = {"reconstruction_objective"};
  words.iterations = "n_iter";
  words.defaults = {{"fidelity", "l2"}};
  return grid::with_layout(std::move(words));
}

std::string HighresProgram::title(const grid::Settings& row) const {
  const bool is_red = value_of(row, "prior", "pnp") == "red";
  return fmt::format("{}-{}", is_red ? "red" : value_of(row, "solver", "pnp"),
                     value_of(row, "denoiser", "drunet"));
}

std::vector<std::string> HighresProgram::keys_in_title() const {
  return {"solver", "denoiser", "prior"};
}

bool HighresProgram::knows(const std::string& solver, const std::string& option) const {
  Options method;
  method.problem = ProblemKind::multiframe_superres;  // whose own settings other problems ignore
  method.solver = *settings::from_name<SolverKind>(solver);
  const auto* setting = find(option);
  if (setting == nullptr || setting->applies_to(method)) return true;
  const auto& priors = settings::enum_names<PriorKind>;  // of which some have settings of their own
  return std::any_of(priors.begin(), priors.end(), [&](const auto& prior) {
    method.prior = prior.value;
    return restoration::fit_together(method.solver, method.prior) && setting->applies_to(method);
  });
}

grid::Files HighresProgram::files_read(const grid::Run& run) const {
  Options options = parsed(run.arguments);
  if (options.weights.empty() && options.denoiser == DenoiserKind::drunet) {
    options.weights = tessera::default_weights();
  }
  if (options.weights.empty() && options.denoiser == DenoiserKind::ridge) {
    options.weights = tessera::default_weights(tessera::DefaultWeights::ridge_grey);
  }
  return files_of(options);
}

const std::vector<std::int64_t>& HighresProgram::shape(const Options& options) {
  const std::string key =
      fmt::format("{}\n{}\n{}\n{}\n{}", options.image, options.truth, options.image_size,
                  settings::name_of(options.problem), options.factor);
  return once(shapes_, key, [&] {
    Options copy = options;
    return truth_shape(copy, read_source(copy));
  });
}

grid::RunPlan HighresProgram::plan(const grid::Run& run, int ranks) {
  Options options = parsed(run.arguments);
  const tessera::DenoiserPtr denoiser = network(options, make_network);
  const restoration::MemoryNeed plan = plan_of_rank(options, shape(options), denoiser, ranks);
  return {plan.tiles, plan.bytes_per_rank};
}

std::vector<std::string> HighresProgram::notices(const grid::Settings& row,
                                                 const grid::Run& run) const {
  const Options options = parsed(run.arguments);
  const bool uses_patches =
      options.tiling == tessera::Tiling::fixed || options.tiling == tessera::Tiling::deepinv;
  std::vector<std::string> texts;
  if (grid::find(row, "patch_size") != nullptr && options.distribute_denoiser.value_or(false) &&
      !uses_patches) {
    texts.emplace_back(
        "Tiles are cut evenly for the ranks of a row (tiling: auto); patch_size is used by "
        "tiling: fixed.");
  }
  if (grid::find(row, "num_workers") != nullptr) {
    texts.emplace_back("num_workers has no effect here: every rank makes its own measurements.");
  }
  return texts;
}
