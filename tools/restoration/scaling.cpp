// SPDX-License-Identifier: BSD-3-Clause
#include "restoration/scaling.hpp"

#include <ATen/Parallel.h>
#include <fmt/format.h>

#include "restoration/enums.hpp"
#include "restoration/machine_costs.hpp"
#include "tessera/comm/self.hpp"
#include "tessera/distributed/scaling_model.hpp"

namespace restoration {

using namespace tessera;

namespace {

/// The tiles of a run on `ranks` ranks; one tile where such a run would not tile.
TilePlan plan_for(const ScalingQuestion& question, int ranks) {
  const at::IntArrayRef shape = question.image.sizes();
  if (!question.shares_tiles.value_or(ranks > 1)) return TilePlan::even(shape.slice(2).vec(), {});
  TilingOptions tiling = question.tiling;
  tiling.ranks = ranks;
  const TiledDenoiser tiled(question.denoiser, self_communicator(), tiling);
  return tiled.plan(shape, question.image.element_size());
}

}  // namespace

std::string predict_scaling(const ScalingQuestion& question) {
  MachineCosts costs =
      machine_costs(question.physics, *question.denoiser, question.sigma, question.image);
  costs.bandwidth_bytes_per_s = question.bandwidth * 1e9;
  costs.latency_s = question.latency * 1e-6;

  const at::IntArrayRef shape = question.image.sizes();
  Workload workload{.channels = shape[1],
                    .bytes_per_element = question.image.element_size(),
                    .operators = question.operators};
  const auto predict_on = [&](const TilePlan& plan, int ranks) {
    workload.shares_operators = question.shares_operators.value_or(ranks > 1);
    std::vector<std::int64_t> window =
        plan.costs({.ranks = ranks, .bytes_per_element = workload.bytes_per_element})
            .largest_window;
    const auto pixels = static_cast<double>(window[0] * window[1]);
    window.insert(window.begin(), {1, workload.channels});
    workload.working_elements_per_pixel =
        question.denoiser->memory_estimate(window).value_or(0) / pixels;
    return predict(plan, ranks, costs, workload);
  };
  const ScalingRow single = predict_on(TilePlan::even(shape.slice(2).vec(), {}), 1);
  std::vector<ScalingRow> rows;
  for (const int ranks : question.ranks)
    rows.push_back(predict_on(plan_for(question, ranks), ranks));
  const ScalingTitle title{
      .problem = fmt::format("{}, image {}x{}, {}, tiling {}", question.problem, shape[3], shape[2],
                             question.denoiser->name(), settings::name_of(question.tiling.tiling)),
      .threads = at::get_num_threads(),
      .settings = "--bandwidth, --latency"};
  return scaling_table(title, costs, single, rows);
}

}  // namespace restoration
