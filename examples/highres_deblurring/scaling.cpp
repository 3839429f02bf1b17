// SPDX-License-Identifier: BSD-3-Clause
#include "scaling.hpp"

#include <ATen/Parallel.h>
#include <ATen/ops/full.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>

#include "parts.hpp"
#include "problem.hpp"
#include "restoration/machine_costs.hpp"
#include "tessera/comm/host.hpp"
#include "tessera/comm/self.hpp"
#include "tessera/distributed/scaling_model.hpp"
#include "tessera/distributed/tiled_denoiser.hpp"

using namespace tessera;

namespace {

/// The tiles of a run on `ranks` ranks; one tile where such a run would not tile.
TilePlan plan_for(const Options& options, const DenoiserPtr& denoiser, at::IntArrayRef shape,
                  int ranks) {
  if (!options.distribute_denoiser.value_or(ranks > 1))
    return TilePlan::even(shape.slice(2).vec(), {});
  TilingOptions tiling = tiling_options(options);
  tiling.ranks = ranks;
  const TiledDenoiser tiled(denoiser, self_communicator(), tiling);
  return tiled.plan(shape, static_cast<std::int64_t>(c10::elementSize(options.dtype)));
}

}  // namespace

std::string plan_run(Options& options) {
  const c10::InferenceMode no_gradients;
  tessera::share_cores(*tessera::self_communicator(), options.threads);
  const DenoiserPtr denoiser = make_network(options);
  const std::vector<std::int64_t> shape = truth_shape(options, read_source(options));
  const Tensor grey = at::full(shape, 0.5).to(device(options), options.dtype);
  MachineCosts costs =
      restoration::machine_costs(make_blur(options, 0), *denoiser, options.denoiser_sigma, grey);
  costs.bandwidth_bytes_per_s = options.bandwidth * 1e9;
  costs.latency_s = options.latency * 1e-6;

  Workload workload;
  workload.bytes_per_element = static_cast<std::int64_t>(c10::elementSize(options.dtype));
  workload.operators = options.num_operators;
  const auto predict_on = [&](const TilePlan& plan, int ranks) {
    workload.shares_operators = options.distribute_physics.value_or(ranks > 1);
    std::vector<std::int64_t> window =
        plan.costs({.ranks = ranks, .bytes_per_element = workload.bytes_per_element})
            .largest_window;
    const auto pixels = static_cast<double>(window[0] * window[1]);
    window.insert(window.begin(), {1, workload.channels});
    workload.working_elements_per_pixel = denoiser->memory_estimate(window).value_or(0) / pixels;
    return predict(plan, ranks, costs, workload);
  };
  const ScalingRow single = predict_on(TilePlan::even({shape[2], shape[3]}, {}), 1);
  std::vector<ScalingRow> rows;
  for (const int ranks : options.ranks)
    rows.push_back(predict_on(plan_for(options, denoiser, shape, ranks), ranks));
  const ScalingTitle title{
      .problem = fmt::format("--solver pnp --fidelity l2, image {}x{}, {}, tiling {}", shape[3],
                             shape[2], denoiser->name(), settings::name_of(options.tiling)),
      .threads = at::get_num_threads(),
      .settings = "--bandwidth, --latency"};
  return scaling_table(title, costs, single, rows);
}
