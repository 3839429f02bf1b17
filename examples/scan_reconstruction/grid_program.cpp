// SPDX-License-Identifier: BSD-3-Clause
#include "grid_program.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "run.hpp"
#include "scan.hpp"
#include "tessera/io/default_weights.hpp"

grid::Vocabulary ScanProgram::make_vocabulary() const {
  grid::Vocabulary words;
  words.keys = keys();
  words.datasets = {{"tomography_2d", "tomography_2d"},
                    {"tomography_3d", "tomography_3d"},
                    {"mri", "mri"},
                    {"radio_interferometry", "radio"},
                    {"noisy_volume", "noisy_volume"}};
  words.solvers = {{"HQS", "hqs"}, {"PnP", "pnp"}, {"PrimalDual", "primal_dual"}};
  words.objectives = {"reconstruction_objective"};
  words.iterations = "n_iter";
  return grid::with_layout(std::move(words));
}

std::string ScanProgram::title(const grid::Settings& row) const {
  return fmt::format("{}-{}", value_of(row, "problem", "tomography_2d"),
                     value_of(row, "solver", "hqs"));
}

std::vector<std::string> ScanProgram::keys_in_title() const {
  return {"problem", "solver"};
}

bool ScanProgram::knows(const std::string& solver, const std::string& option) const {
  const auto* setting = find(option);
  if (setting == nullptr || setting->group == "Problem") return true;
  Options method;
  method.solver = *settings::from_name<SolverKind>(solver);
  return setting->applies_to(method);
}

grid::Files ScanProgram::files_read(const grid::Run& run) const {
  Options options = parsed(run.arguments);
  if (options.weights.empty() && options.denoiser == DenoiserKind::drunet) {
    options.weights = tessera::default_weights(tessera::DefaultWeights::drunet_grey);
  }
  return files_of(options);
}

const tessera::Extents& ScanProgram::shape(const Options& options) {
  const std::string key = fmt::format("{}\n{}\n{}\n{}", settings::name_of(options.problem),
                                      options.image, options.truth, options.image_size);
  return once(shapes_, key, [&] {
    Options copy = options;
    return make_truth(copy).sizes().vec();
  });
}

grid::RunPlan ScanProgram::plan(const grid::Run& run, int ranks) {
  Options options = parsed(run.arguments);
  const tessera::DenoiserPtr denoiser = network(options, make_network, options.is_volume() ? 3 : 2);
  const tessera::Extents& image = shape(options);
  options.image_size = *std::max_element(image.begin() + 2, image.end());
  make_scan(options, at::IntArrayRef(image).slice(2));
  const restoration::MemoryNeed need = plan_of_rank(options, image, denoiser, ranks);
  return {need.tiles, need.bytes_per_rank};
}

std::vector<std::string> ScanProgram::notices(const grid::Settings& /*row*/,
                                              const grid::Run& /*run*/) const {
  return {};
}
