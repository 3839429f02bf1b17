// SPDX-License-Identifier: BSD-3-Clause
#include "restore/restorer.hpp"

#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <string>
#include <utility>

#include "restoration/boxed_parts.hpp"
#include "restoration/networks.hpp"
#include "restoration/starting_point.hpp"
#include "restore/add_up.hpp"
#include "restore/at_key.hpp"
#include "restore/whiteness.hpp"
#include "tessera/comm/agreement.hpp"
#include "tessera/core/real_dot.hpp"
#include "tessera/denoiser/adapted.hpp"
#include "tessera/denoiser/total_variation.hpp"
#include "tessera/distributed/boxed_operators.hpp"
#include "tessera/distributed/sharded_denoiser.hpp"
#include "tessera/distributed/tiled_denoiser.hpp"
#include "tessera/physics/element_numbers.hpp"
#include "tessera/physics/noise.hpp"
#include "tessera/prior/ridge_denoiser.hpp"
#include "tessera/run/progress.hpp"

namespace restore {

using namespace tessera;
using restoration::SolverKind;

namespace {

/// Tiles of every run, so that the number of ranks changes nothing; smaller images have none.
constexpr std::array<std::int64_t, 2> tile_of_picture = {512, 512};
constexpr std::array<std::int64_t, 3> tile_of_volume = {32, 128, 128};

/// The prior's denoiser, tiled where the image is large.
DenoiserPtr make_denoiser(const Inputs& inputs, const CommunicatorPtr& world) {
  const std::int64_t channels = inputs.plan.image[1];
  const bool is_colour = channels == 3;
  const Extents whole = at::IntArrayRef(inputs.plan.image).slice(2).vec();
  std::string weights = inputs.config.prior.weights;
  const auto kind = inputs.plan.prior == PriorName::dncnn    ? restoration::DenoiserKind::dncnn
                    : inputs.plan.prior == PriorName::drunet ? restoration::DenoiserKind::drunet
                                                             : restoration::DenoiserKind::tv;
  DenoiserPtr denoiser = guarded(*world, program, [&] {
    return at_key(inputs.config.prior.where, [&] {
      const DenoiserPtr made = restoration::make_denoiser(
          kind, weights, at::kCPU, is_colour ? DefaultWeights::drunet : DefaultWeights::drunet_grey,
          std::ssize(whole));
      if (kind == restoration::DenoiserKind::tv) return made;
      const DenoiserPtr each = !is_colour && channels > 1 ? channelwise(made) : made;
      Extents small(inputs.plan.image.size(), 16);  // a network of other channels is found out now
      small[0] = 1;
      small[1] = channels;
      each->denoise(at::zeros(small, at::kFloat), 0.1);
      return in_float32(each);
    });
  });
  const at::IntArrayRef tile =
      whole.size() == 3 ? at::IntArrayRef(tile_of_volume) : at::IntArrayRef(tile_of_picture);
  Extents patch = whole;
  bool is_large = false;
  for (std::size_t axis = 0; axis < whole.size(); ++axis) {
    is_large = is_large || whole[axis] > tile[axis];
    patch[axis] = std::min(whole[axis], tile[axis]);
  }
  if (!is_large && !inputs.space) return denoiser;
  TilingOptions tiling{.tiling = Tiling::fixed, .patch = PerAxis(patch)};
  if (whole.size() == 3) {
    tiling.overlap = 16;
    tiling.blend = 8;
  }
  if (inputs.space) return std::make_shared<ShardedDenoiser>(denoiser, inputs.space, tiling);
  return std::make_shared<TiledDenoiser>(denoiser, world, tiling);
}

/// What the prior ridge is made of; whole on every rank.
DenoiserPtr make_ridge(const Inputs& inputs, Communicator& world) {
  return guarded(world, program, [&] {
    return at_key(inputs.config.prior.where, [&] {
      const auto dimensions = static_cast<std::int64_t>(inputs.plan.image.size()) - 2;
      std::string weights = inputs.config.prior.weights;
      if (weights.empty()) {
        weights = default_weights(dimensions == 3 ? DefaultWeights::ridge_volume
                                                  : DefaultWeights::ridge_grey);
      }
      const auto made = std::dynamic_pointer_cast<const RidgeDenoiser>(
          restoration::make_denoiser(restoration::DenoiserKind::ridge, weights, at::kCPU));
      if (made->prior().dimensions() == dimensions) return made;
      throw error::InvalidArgument(fmt::format("{}: is for images of {} dimensions, expected {}",
                                               weights, made->prior().dimensions(), dimensions));
    });
  });
}

/// The number of a checkpoint in which a weight is that the run has found.
constexpr const char* weight_number = "restore.prior_weight";

}  // namespace

DenoiserPtr denoiser_of(const Inputs& inputs, const CommunicatorPtr& world) {
  const restoration::PriorKind prior = inputs.plan.method.prior;
  if (prior == restoration::PriorKind::ridge) return make_ridge(inputs, *world);
  const bool denoises =
      prior == restoration::PriorKind::pnp && inputs.plan.prior != PriorName::none;
  return denoises ? make_denoiser(inputs, world) : nullptr;
}

Restorer::Restorer(Inputs& inputs, const RunOrders& orders, const CommunicatorPtr& world)
    : inputs_(inputs), world_(world), shows_progress_(world->is_root() && !orders.quiet) {
  const restoration::Method& method = inputs.plan.method;
  const Tensor& image = inputs.image;
  fidelity_ = fidelity_of(inputs.measured);
  norm_squared_ = inputs.physics->norm_squared(image);
  start_ = restoration::mean_of_measurements(*inputs.physics, inputs.measured, image);
  start_ = clamped(start_, method.range);
  if (method.solver == SolverKind::mlem) start_ = start_.clamp_min(1e-3);  // what is 0 stays 0
  from_ = {.x = start_};
  if (!orders.keeps_checkpoint()) return;
  kept_.emplace(orders, inputs, world);
  from_ = kept_->begin(start_);
}

std::optional<FoundWeight> Restorer::find_weight() {
  Plan& plan = inputs_.plan;
  if (!plan.rule) return std::nullopt;
  if (const auto before = from_.numbers.find(weight_number); before != from_.numbers.end()) {
    plan.weight() = before->second;
    return std::nullopt;
  }
  const auto restored_with = [&](double weight) {
    plan.weight() = weight;
    return solve({.x = start_}).x;
  };
  const auto search =
      *plan.rule == WeightRule::discrepancy ? find_weight_of_misfit : find_weight_of_least;
  const FoundWeight found = search(plan.weight(), [&](double weight) {
    const Tensor x = restored_with(weight);
    const double value = *plan.rule == WeightRule::whiteness ? correlation(x)
                         : *plan.rule == WeightRule::risk    ? misfit(x) + 2 * fitted_share(x)
                                                             : misfit(x);
    trials_.emplace_back(weight, value);
    return value;
  });
  plan.weight() = found.weight;
  from_.numbers[weight_number] = found.weight;
  return found;
}

SolveResult Restorer::restore() {
  std::vector<std::reference_wrapper<Observer>> observers;
  if (kept_) observers = kept_->observers();
  Progress progress(inputs_.plan.method.iterations);
  if (shows_progress_) observers.emplace_back(progress);
  return solve(from_, std::move(observers));
}

double Restorer::misfit(const Tensor& x) const {
  const restoration::Method& method = inputs_.plan.method;
  const bool is_scaled = method.fidelity == restoration::FidelityKind::poisson ||
                         (method.solver != SolverKind::dpir && method.solver != SolverKind::pnp);
  const double variance = is_scaled ? 1 : std::pow(method.noise_level, 2);
  return 2 * fidelity_->value(x) / (variance * inputs_.plan.values);
}

TensorList Restorer::residuals(const Tensor& x) const {
  TensorList residuals = inputs_.physics->forward(x);
  for (std::size_t i = 0; i < residuals.size(); ++i) {
    const Tensor expected = residuals[i] + background();
    residuals[i] = (inputs_.measured[i] - expected) / level_at(expected);
  }
  return residuals;
}

double Restorer::correlation(const Tensor& x) const {
  double sum = 0;
  guarded(*world_, program, [&] {
    const TensorList all = residuals(x);
    for (std::size_t i = 0; i < all.size(); ++i) {
      const std::int64_t index = inputs_.physics->held()[i];
      sum += whiteness_of(inputs_.config.measurements[static_cast<std::size_t>(index)],
                          inputs_.held.at(index), all[i]);
    }
  });
  if (!inputs_.space) add_up(*world_, {&sum, 1});
  return sum / static_cast<double>(inputs_.config.measurements.size());
}

double Restorer::fitted_share(const Tensor& x) {
  constexpr double part = 0.02;
  TensorList moves;
  const TensorList measured = inputs_.measured;
  TensorList moved;
  guarded(*world_, program, [&] {
    for (std::size_t i = 0; i < measured.size(); ++i) {
      const std::int64_t index = inputs_.physics->held()[i];
      const GaussianNoise drawn(part, static_cast<std::uint64_t>(index));
      const BoxSpacePtr& boxes = inputs_.held.at(index).boxes;
      const at::IntArrayRef shape = measured[i].sizes();
      const Tensor noise = drawn.add(
          at::zeros_like(measured[i]),
          boxes ? ElementNumbers(shape, boxes->local(), boxes->extents()) : ElementNumbers(shape));
      moved.push_back(measured[i] + noise * level_at(measured[i]));
      if (is_counted()) moved.back().clamp_min_(0);
      moves.push_back((moved.back() - measured[i]) / level_at(measured[i]));
    }
  });
  const DataFidelityPtr fidelity = std::exchange(fidelity_, fidelity_of(moved));
  const Tensor other = solve({.x = start_}).x;
  fidelity_ = fidelity;
  std::array<double, 2> sums = {0, 0};
  const TensorList predicted = inputs_.physics->forward(x);
  const TensorList others = inputs_.physics->forward(other);
  for (std::size_t i = 0; i < moves.size(); ++i) {
    sums[0] += real_dot(moves[i], (others[i] - predicted[i]) / level_at(measured[i]));
    sums[1] += real_dot(moves[i], moves[i]);
  }
  add_up(*world_, sums);
  return sums[0] / sums[1];
}

bool Restorer::is_counted() const {
  return inputs_.plan.method.fidelity == restoration::FidelityKind::poisson;
}

Tensor Restorer::level_at(const Tensor& values) const {
  const double level = inputs_.plan.method.noise_level;
  if (!is_counted()) return at::full({}, level, values.options());
  return level * values.clamp_min(level * level).sqrt();
}

DataFidelityPtr Restorer::fidelity_of(const TensorList& measured) const {
  return restoration::make_fidelity(inputs_.plan.method, inputs_.physics, measured, inputs_.image);
}

SolveResult Restorer::solve(const SolverState& from,
                            std::vector<std::reference_wrapper<Observer>> observers) {
  const restoration::Method& method = inputs_.plan.method;
  // Without a prior any will do: nobody asks it.
  PriorPtr prior = restoration::make_prior(
      method, inputs_.denoiser ? inputs_.denoiser : std::make_shared<TotalVariation>(),
      inputs_.plan.image);
  const BoxSpacePtr& space = inputs_.space;
  if (space) prior = restoration::prior_of_boxes(prior, space);
  const auto solver =
      restoration::make_solver(method, *fidelity_, *prior, 1.6 / norm_squared_, norm_squared_,
                               space ? boxed_differences(space) : nullptr);
  changes_.clear();
  ObserverFunction keeps_changes(
      [&](const Iteration& iteration) { changes_.push_back(iteration.relative_change); });
  observers.emplace_back(keeps_changes);
  ObserverList all(std::move(observers));
  return solver->solve(from, all);
}

}  // namespace restore
