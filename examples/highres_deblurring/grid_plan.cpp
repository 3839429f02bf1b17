#include "grid_plan.hpp"

#include <fmt/format.h>

#include <utility>

#include "parts.hpp"
#include "problem.hpp"
#include "rank_plan.hpp"

using namespace tessera;

namespace {

constexpr int most_ranks_per_core = 8;

}  // namespace

const std::vector<std::int64_t>& Planner::shape(const Options& options) {
  const std::string key =
      fmt::format("{}\n{}\n{}", options.image, options.truth, options.image_size);
  const auto found = shapes_.find(key);
  if (found != shapes_.end()) return found->second;
  Options copy = options;
  return shapes_[key] = truth_shape(copy, read_source(copy));
}

const Planner::Network& Planner::network(const Options& options) {
  const std::string key = options.denoiser + "\n" + options.weights;
  const auto found = networks_.find(key);
  if (found != networks_.end()) return found->second;
  Options copy = options;
  Network made{.denoiser = make_network(copy), .weights = copy.weights};
  return networks_[key] = std::move(made);
}

RowPlan Planner::plan(const GridRow& row) {
  const Network& made = network(row.options);
  Options options = row.options;
  options.weights = made.weights;
  const RankPlan plan = plan_of_rank(options, shape(options), made.denoiser, row.ranks());
  return {plan.tiles, plan.bytes_per_rank};
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
