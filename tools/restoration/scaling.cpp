// SPDX-License-Identifier: BSD-3-Clause
#include "restoration/scaling.hpp"

#include <ATen/Parallel.h>
#include <ATen/ops/full.h>
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <numeric>
#include <utility>

#include "restoration/boxed_parts.hpp"
#include "restoration/enums.hpp"
#include "restoration/machine_costs.hpp"
#include "restoration/sharing.hpp"
#include "tessera/comm/rehearsal.hpp"
#include "tessera/comm/self.hpp"
#include "tessera/core/error.hpp"
#include "tessera/distributed/scaling_model.hpp"
#include "tessera/distributed/sharded_denoiser.hpp"
#include "tessera/fidelity/l2.hpp"

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

/// Working memory of the denoiser for a window, in elements per pixel of it.
double working_elements(const Denoiser& denoiser, std::int64_t channels, Extents window) {
  const auto pixels = static_cast<double>(c10::multiply_integers(window));
  window.insert(window.begin(), {1, channels});
  return denoiser.memory_estimate(window).value_or(0) / pixels;
}

/// Takes the place of a denoiser whose tiles are moved, not denoised.
class Unmoved final : public Denoiser {
 public:
  explicit Unmoved(DenoiserPtr model) : model_(std::move(model)) {}
  std::string name() const override { return model_->name(); }
  std::optional<std::int64_t> reach() const override { return model_->reach(); }
  std::int64_t alignment() const override { return model_->alignment(); }
  std::int64_t minimum_extent() const override { return model_->minimum_extent(); }
  std::vector<std::int64_t> extended_extents(at::IntArrayRef spatial) const override {
    return model_->extended_extents(spatial);
  }
  std::optional<double> memory_estimate(at::IntArrayRef shape) const override {
    return model_->memory_estimate(shape);
  }

 private:
  Tensor do_denoise(const Tensor& x, const NoiseLevel& /*sigma*/) const override { return x; }

  DenoiserPtr model_;
};

/// An image in boxes, or a smaller one with as many of them, as the middle one of so many ranks
/// sees it.
struct Stage {
  std::shared_ptr<Rehearsal> rank;
  BoxSpacePtr space;
  Tensor x;           ///< of its box
  double shrunk = 1;  ///< how many times longer the sides of the image are
};

/// `longest`: of the sides of its box.
Stage stage_for(const BoxScalingQuestion& question, int ranks, std::int64_t alignment,
                std::int64_t longest) {
  const BoxSpaceOptions options{.alignment = alignment};
  const Extents box = largest_of(planned_boxes(question.extents, ranks, options));
  const std::int64_t shrunk = (std::max(box[0], box[1]) + longest - 1) / longest;
  Extents extents;
  for (const std::int64_t extent : question.extents) {
    extents.push_back((extent / shrunk + alignment - 1) / alignment * alignment);
  }
  Stage stage;
  stage.shrunk = static_cast<double>(shrunk);
  const Extents grid = BoxSpace(std::make_shared<Rehearsal>(0, ranks), extents, options).grid();
  const std::int64_t middle = grid[0] / 2 * grid[1] + grid[1] / 2;
  stage.rank = std::make_shared<Rehearsal>(static_cast<int>(middle), ranks);
  stage.space = std::make_shared<BoxSpace>(stage.rank, extents, options);
  Extents shape = stage.space->local().extents();
  shape.insert(shape.begin(), {1, question.run.image.size(1)});
  stage.x = at::full(shape, 0.5, question.run.image.options());
  return stage;
}

/// Of one gradient, and of one denoising.
RankTraffic traffic_of(const BoxScalingQuestion& question, int ranks, std::int64_t alignment,
                       bool by_layers) {
  const ScalingQuestion& run = question.run;
  constexpr std::int64_t longest = 4096;
  Stage stage = stage_for(question, ranks, alignment, longest);
  const LinearPhysicsPtr physics = question.shared(stage.space);
  const L2 fidelity(physics, physics->forward(stage.x), stage.x);
  stage.rank->reset();
  fidelity.gradient(stage.x);
  RankTraffic traffic = stage.rank->traffic();
  traffic.received_bytes *= stage.shrunk * stage.shrunk;
  double grows = stage.shrunk * stage.shrunk;
  if (by_layers) {  // what is around a box grows with its sides
    constexpr std::int64_t longest_of_layers = 256;
    stage = stage_for(question, ranks, alignment, longest_of_layers);
    grows = stage.shrunk;
  }
  DenoiserPtr denoiser;
  if (by_layers) {
    denoiser = by_layers_on(stage.space, run.denoiser);
  } else {
    denoiser = std::make_shared<ShardedDenoiser>(std::make_shared<Unmoved>(run.denoiser),
                                                 stage.space, run.tiling);
  }
  stage.rank->reset();
  denoiser->denoise(stage.x, run.sigma);
  const RankTraffic& denoising = stage.rank->traffic();
  traffic.reductions += denoising.reductions;
  traffic.exchanges += denoising.exchanges;
  traffic.messages += denoising.messages;
  traffic.received_bytes += denoising.received_bytes * grows;
  return traffic;
}

std::string box_table(const BoxScalingQuestion& question, MachineCosts costs, bool by_layers) {
  const ScalingQuestion& run = question.run;
  const std::int64_t alignment =
      std::lcm(question.alignment, by_layers ? run.denoiser->alignment() : 1);
  const Extents& extents = question.extents;
  BoxWork work{.pixels = static_cast<double>(c10::multiply_integers(extents))};
  Workload workload{.channels = run.image.size(1),
                    .bytes_per_element = run.image.element_size(),
                    .operators = run.operators};
  work.box_pixels = work.pixels;
  workload.working_elements_per_pixel = working_elements(*run.denoiser, workload.channels, extents);
  const ScalingRow single = predict_boxes(work, 1, costs, workload);
  std::vector<ScalingRow> rows;
  for (const int ranks : run.ranks) {
    Extents window;
    try {
      window = largest_of(planned_boxes(extents, ranks, {.alignment = alignment}));
    } catch (const error::InvalidArgument&) {
      continue;  // fewer pixels than such boxes need
    }
    work.box_pixels = static_cast<double>(c10::multiply_integers(window));
    if (!by_layers) {
      TilingOptions tiling = run.tiling;
      tiling.ranks = ranks;
      Extents shape = {1, workload.channels};
      shape.insert(shape.end(), extents.begin(), extents.end());
      work.tiles = TiledDenoiser(run.denoiser, self_communicator(), tiling)
                       .plan(shape, workload.bytes_per_element);
      window = work.tiles->costs({.ranks = ranks}).largest_window;
    }
    work.traffic = ranks == 1 ? RankTraffic() : traffic_of(question, ranks, alignment, by_layers);
    workload.working_elements_per_pixel =
        working_elements(*run.denoiser, workload.channels, window);
    rows.push_back(predict_boxes(work, ranks, costs, workload));
  }
  const ScalingTitle title{
      .problem = fmt::format("{} --distribute-image --denoiser-halo {}, image {}x{}, {}",
                             run.problem, by_layers ? "layers" : "context", extents[1], extents[0],
                             run.denoiser->name()),
      .threads = at::get_num_threads(),
      .rest = "shared out",
      .settings = "--bandwidth, --latency"};
  return scaling_table(title, costs, single, rows);
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
    workload.working_elements_per_pixel = working_elements(
        *question.denoiser, workload.channels,
        plan.costs({.ranks = ranks, .bytes_per_element = workload.bytes_per_element})
            .largest_window);
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

std::string predict_box_scaling(const BoxScalingQuestion& question) {
  const ScalingQuestion& run = question.run;
  MachineCosts costs = machine_costs(run.physics, *run.denoiser, run.sigma, run.image);
  costs.bandwidth_bytes_per_s = run.bandwidth * 1e9;
  costs.latency_s = run.latency * 1e-6;
  const auto measured = static_cast<double>(c10::multiply_integers(run.image.sizes().slice(2)));
  const double larger = static_cast<double>(c10::multiply_integers(question.extents)) / measured;
  costs.replicated_s *= larger;
  costs.replicated_bytes *= larger;
  std::string text;
  if (question.by_context) text = box_table(question, costs, false);
  if (question.by_layers && has_layers(*run.denoiser)) {
    text += fmt::format("{}{}", text.empty() ? "" : "\n", box_table(question, costs, true));
  }
  return text;
}

}  // namespace restoration
