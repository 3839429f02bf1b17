// SPDX-License-Identifier: BSD-3-Clause
#include "restoration/scaling.hpp"

#include <ATen/Parallel.h>
#include <ATen/ops/full.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>
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

/// Takes the place of a denoiser where all else is timed.
class Nothing final : public Denoiser {
 public:
  std::string name() const override { return "nothing"; }

 private:
  Tensor do_denoise(const Tensor& x, const NoiseLevel& /*sigma*/) const override { return x; }
};

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

std::int64_t alignment_of(const BoxScalingQuestion& question, bool by_layers) {
  return std::lcm(question.alignment, by_layers ? question.run.denoiser->alignment() : 1);
}

/// All of them, or one of those by Fourier transforms, which are one filter however many they are.
LinearPhysicsPtr operators_on(const BoxScalingQuestion& question, const BoxSpacePtr& space) {
  std::vector<SharedOperator> operators = {question.shared(space, 0)};
  for (std::int64_t i = 1; operators.front().boxed && i < question.run.operators; ++i) {
    operators.push_back(question.shared(space, i));
  }
  return stacked(operators);
}

BoxSpace planned_space(const Extents& extents, int ranks, std::int64_t alignment) {
  return {std::make_shared<Rehearsal>(0, ranks), extents, {.alignment = alignment}};
}

/// Sums up counts of images with so many boxes, each a multiple of `side`, for images whose boxes
/// are longer than that: what a rank receives grows with the sides of its box, or their product, as
/// halos and transposes do. An axis along which `box` is not longer than 2 `side` stays as it is.
RankTraffic extrapolated(const Extents& extents, const Extents& grid, const Extents& box,
                         std::int64_t side,
                         const std::function<RankTraffic(const Extents&)>& count) {
  RankTraffic traffic;
  double received = 0;
  for (const std::array<bool, 2>& is_double : {std::array{false, false}, std::array{true, false},
                                               std::array{false, true}, std::array{true, true}}) {
    double weight = 1;
    Extents smaller = extents;
    for (std::size_t d = 0; d < 2; ++d) {
      if (box[d] <= 2 * side) {
        if (is_double[d]) weight = 0;
        continue;
      }
      const double times = static_cast<double>(box[d]) / static_cast<double>(side);
      weight *= is_double[d] ? times - 1 : 2 - times;
      smaller[d] = grid[d] * side * (is_double[d] ? 2 : 1);
    }
    if (weight == 0) continue;
    traffic = count(smaller);
    received += weight * traffic.received_bytes;
  }
  traffic.received_bytes = received;
  return traffic;
}

std::string box_table(const BoxScalingQuestion& question, MachineCosts costs, bool by_layers) {
  const ScalingQuestion& run = question.run;
  const std::int64_t alignment = alignment_of(question, by_layers);
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
    if (ranks > 1) {
      const Extents grid = planned_space(extents, ranks, alignment).grid();
      const auto middle = static_cast<int>(grid[0] / 2 * grid[1] + grid[1] / 2);
      work.traffic = box_traffic(question, ranks, middle, by_layers);
    }
    workload.working_elements_per_pixel =
        working_elements(*run.denoiser, workload.channels, window);
    rows.push_back(predict_boxes(work, ranks, costs, workload));
    if (question.memory) rows.back().peak_bytes = question.memory(ranks, by_layers);
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

RankTraffic box_traffic(const BoxScalingQuestion& question, int ranks, int rank, bool by_layers) {
  const ScalingQuestion& run = question.run;
  const Extents& extents = question.extents;
  const std::int64_t alignment = alignment_of(question, by_layers);
  const BoxSpace planned = planned_space(extents, ranks, alignment);
  const BoxSpaceOptions options{.grid = planned.grid(), .alignment = alignment};
  const Box& box = planned.boxes()[static_cast<std::size_t>(rank)];
  const auto aligned = [&](std::int64_t side) {
    return (side + alignment - 1) / alignment * alignment;
  };
  struct Stage {
    std::shared_ptr<Rehearsal> rank;
    BoxSpacePtr space;
    Tensor x;  // its box
  };
  const auto stage_of = [&](const Extents& image) {
    Stage stage{.rank = std::make_shared<Rehearsal>(rank, ranks), .space = nullptr, .x = {}};
    stage.space = std::make_shared<BoxSpace>(stage.rank, image, options);
    Extents shape = stage.space->local().extents();
    shape.insert(shape.begin(), {1, run.image.size(1)});
    stage.x = at::full(shape, 0.5, run.image.options());
    return stage;
  };
  const auto denoising = [&](const Stage& stage) {
    const DenoiserPtr denoiser =
        by_layers ? by_layers_on(stage.space, run.denoiser)
                  : std::make_shared<ShardedDenoiser>(std::make_shared<Unmoved>(run.denoiser),
                                                      stage.space, run.tiling);
    stage.rank->reset();
    denoiser->denoise(stage.x, run.sigma);
    return stage.rank->traffic();
  };

  const std::int64_t side = aligned(2048);
  RankTraffic traffic =
      extrapolated(extents, options.grid, box.extents(), side, [&](const Extents& image) {
        const Stage stage = stage_of(image);
        const LinearPhysicsPtr physics = operators_on(question, stage.space);
        const L2 fidelity(physics, physics->forward(stage.x), stage.x);
        stage.rank->reset();
        fidelity.gradient(stage.x);
        return stage.rank->traffic();
      });
  Extents denoised = box.extents();
  if (by_layers) {  // with what the network adds at the far ends of the image
    const std::vector<std::int64_t> extended = run.denoiser->extended_extents(extents);
    for (std::size_t d = 0; d < denoised.size(); ++d) {
      if (box.axes[d].end == extents[d]) denoised[d] += extended[d] - extents[d];
    }
  }
  const RankTraffic of_denoiser =
      extrapolated(extents, options.grid, denoised, by_layers ? aligned(128) : side,
                   [&](const Extents& image) { return denoising(stage_of(image)); });
  traffic.reductions += of_denoiser.reductions;
  traffic.exchanges += of_denoiser.exchanges;
  traffic.messages += of_denoiser.messages;
  traffic.received_bytes += of_denoiser.received_bytes;
  return traffic;
}

std::string predict_scaling(const ScalingQuestion& question) {
  const auto idle = std::make_shared<TiledDenoiser>(
      std::make_shared<Nothing>(), self_communicator(), TilingOptions{.minimum_tiles = 4});
  MachineCosts costs =
      machine_costs(question.physics, *question.denoiser, question.sigma, question.image, idle);
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
  const auto space =
      std::make_shared<BoxSpace>(self_communicator(), run.image.sizes().slice(2).vec());
  const auto idle = std::make_shared<ShardedDenoiser>(std::make_shared<Nothing>(), space);
  MachineCosts costs =
      machine_costs(operators_on(question, space), *run.denoiser, run.sigma, run.image, idle);
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
