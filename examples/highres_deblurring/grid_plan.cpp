#include "grid_plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "parts.hpp"
#include "problem.hpp"
#include "tessera/comm/self.hpp"
#include "tessera/distributed/tiled_denoiser.hpp"

using namespace tessera;

namespace {

constexpr int most_ranks_per_core = 8;

/// Images of the size of x that the solver, the fused gradient and its spectra hold.
constexpr double images_at_work = 12;
/// The convolution engine keeps transformed copies of 3x3 weights, 36 numbers for 9.
constexpr double weight_copies = 5;

std::string gigabytes(double bytes) {
  return fmt::format("{:.1f} GB", bytes * 1e-9);
}

}  // namespace

const std::vector<std::int64_t>& Planner::shape(const Options& options) {
  const std::string key =
      fmt::format("{}\n{}\n{}", options.image, options.truth, options.image_size);
  const auto found = shapes_.find(key);
  if (found != shapes_.end()) return found->second;
  Options copy = options;
  copy.device = "cpu";
  const std::int64_t size = options.image_size;
  const bool is_synthetic = options.image.empty() && options.truth.empty();
  return shapes_[key] = is_synthetic ? std::vector<std::int64_t>{1, 3, size * 5 / 8, size}
                                     : make_truth(copy).sizes().vec();
}

const DenoiserPtr& Planner::network(const Options& options) {
  const std::string key = options.denoiser + "\n" + options.weights;
  const auto found = networks_.find(key);
  if (found != networks_.end()) return found->second;
  Options copy = options;
  const DenoiserPtr& made = networks_[key] = make_network(copy);
  std::error_code failure;
  const auto size = copy.weights.empty() ? 0 : std::filesystem::file_size(copy.weights, failure);
  weight_bytes_[key] = failure ? 0 : static_cast<double>(size);
  return made;
}

RowPlan Planner::plan(const GridRow& row) {
  const Options& options = row.options;
  const std::vector<std::int64_t>& image = shape(options);
  const DenoiserPtr denoiser = network(options);
  const auto element = static_cast<std::int64_t>(c10::elementSize(scalar_type(options)));
  const double image_bytes =
      static_cast<double>(element) * static_cast<double>(image[1] * image[2] * image[3]);
  const double working = denoiser->memory_estimate(image).value_or(0);
  RowPlan plan;
  if (options.distribute_denoiser.value_or(row.ranks() > 1)) {
    TilingOptions tiling = tiling_options(options);
    tiling.ranks = row.ranks();
    const TiledDenoiser tiled(denoiser, self_communicator(), tiling);
    const TileCostOptions costs = {
        .ranks = row.ranks(),
        .batch = image[0],
        .channels = image[1],
        .bytes_per_element = element,
        .working_elements_per_pixel = working / static_cast<double>(image[2] * image[3])};
    const TilePlan tiles = tiled.plan(image, element);
    plan.tiles = tiles.summary(costs);
    while (plan.tiles.ends_with('\n')) plan.tiles.pop_back();
    plan.bytes_per_rank = tiles.costs(costs).peak_bytes;
  } else {
    plan.tiles = fmt::format("the whole image, {}x{}, on every rank", image[2], image[3]);
    plan.bytes_per_rank = working * static_cast<double>(element);
  }
  const bool shares = options.distribute_physics.value_or(row.ranks() > 1);
  const std::int64_t share =
      shares ? (options.num_operators + row.ranks() - 1) / row.ranks() : options.num_operators;
  plan.bytes_per_rank += (static_cast<double>(share) + images_at_work) * image_bytes +
                         weight_copies * weight_bytes_[options.denoiser + "\n" + options.weights];
  return plan;
}

std::string obstacle(const GridRow& row, const RowPlan& plan, const Machine& machine) {
  const int ranks = row.ranks();
  if (row.options.device == "cuda") {
    if (ranks <= machine.gpus) return "";
    return fmt::format("needs {} GPUs, one per rank; this machine has {}", ranks, machine.gpus);
  }
  if (ranks > most_ranks_per_core * machine.cores) {
    return fmt::format("needs {} ranks; more than {} per core are not started here ({} cores)",
                       ranks, most_ranks_per_core, machine.cores);
  }
  const double needed = plan.bytes_per_rank * ranks;
  if (machine.available_bytes > 0 && needed > machine.available_bytes) {
    return fmt::format("needs about {} of memory ({} ranks x {}); {} are available",
                       gigabytes(needed), ranks, gigabytes(plan.bytes_per_rank),
                       gigabytes(machine.available_bytes));
  }
  return "";
}
