// SPDX-License-Identifier: BSD-3-Clause
#include "restoration/boxed_parts.hpp"

#include <fmt/format.h>

#include <memory>
#include <utility>

#include "restoration/sharing.hpp"
#include "tessera/denoiser/layerwise_network.hpp"
#include "tessera/distributed/boxed_operators.hpp"
#include "tessera/distributed/boxed_stack.hpp"
#include "tessera/distributed/gathered_denoiser.hpp"
#include "tessera/distributed/layerwise_denoiser.hpp"
#include "tessera/distributed/sharded_denoiser.hpp"
#include "tessera/distributed/sharded_ridge_prior.hpp"
#include "tessera/distributed/sharded_variation_prior.hpp"
#include "tessera/distributed/sharded_wavelet_prior.hpp"
#include "tessera/distributed/slab_blur.hpp"
#include "tessera/physics/element_numbers.hpp"
#include "tessera/physics/stacked.hpp"

namespace restoration {

using namespace tessera;

SharedOperator shared_blur(const BoxSpacePtr& space, const Tensor& kernel, Padding border,
                           std::int64_t factor) {
  if (factor == 1 && border == Padding::circular) return {slab_blur(space, kernel), nullptr, space};
  const BoxedOperatorPtr boxed = factor == 1 ? boxed_blur(space, kernel, border)
                                             : boxed_downsampling(space, factor, kernel, border);
  return {boxed, boxed, boxed->measured_space()};
}

LinearPhysicsPtr stacked(const std::vector<SharedOperator>& operators) {
  std::vector<LinearPhysicsPtr> all;
  std::vector<BoxedOperatorPtr> boxed;
  for (const SharedOperator& one : operators) {
    all.push_back(one.physics);
    if (one.boxed) boxed.push_back(one.boxed);
  }
  if (boxed.size() == all.size()) return std::make_shared<BoxedStack>(std::move(boxed));
  return std::make_shared<StackedPhysics>(std::move(all));
}

Tensor measured_by(const SharedOperator& one, const Tensor& truth, const Noise& noise) {
  const Tensor clean = one.physics->forward(truth).front();
  const ElementNumbers numbers(clean.sizes(), one.measured->local(), one.measured->extents());
  return noise.add(clean, numbers);
}

bool has_layers(const Denoiser& network) {
  return dynamic_cast<const LayerwiseNetwork*>(&network) != nullptr;
}

DenoiserPtr by_layers_on(const BoxSpacePtr& space, const DenoiserPtr& network) {
  return std::make_shared<LayerwiseDenoiser>(
      std::dynamic_pointer_cast<const LayerwiseNetwork>(network), space);
}

DenoiserPtr shared_denoiser(const DenoiserPtr& network, bool by_layers, const TilingOptions& tiling,
                            Outcome& outcome) {
  const BoxSpacePtr& space = outcome.space;
  if (by_layers) {
    outcome.tiling = fmt::format("{}; {} layer by layer", boxes_in_words(*space), network->name());
    return by_layers_on(space, network);
  }
  auto shared = std::make_shared<ShardedDenoiser>(network, space, tiling);
  Extents shape = outcome.truth.sizes().slice(0, 2).vec();
  shape.insert(shape.end(), space->extents().begin(), space->extents().end());
  const std::int64_t bytes = outcome.truth.element_size();
  outcome.plan = shared->tiled().plan(shape, bytes);
  outcome.tiling = fmt::format("{}; {} by tiles\n{}", boxes_in_words(*space), network->name(),
                               shared->tiled().summary(shape, bytes));
  return shared;
}

DenoiserPtr gathered_denoiser(const DenoiserPtr& network, const CommunicatorPtr& ranks,
                              Outcome& outcome) {
  const auto space = std::make_shared<BoxSpace>(ranks, outcome.truth.sizes().slice(2).vec(),
                                                BoxSpaceOptions{.alignment = network->alignment()});
  outcome.tiling = fmt::format("{}; {} layer by layer", boxes_in_words(*space), network->name());
  return std::make_shared<GatheredDenoiser>(by_layers_on(space, network), space);
}

PriorPtr prior_of_boxes(const PriorPtr& prior, const BoxSpacePtr& space) {
  if (const auto* ridge = dynamic_cast<const RidgePrior*>(prior.get())) {
    return std::make_shared<ShardedRidgePrior>(*ridge, space);
  }
  if (const auto* variation = dynamic_cast<const TotalVariationPrior*>(prior.get())) {
    return std::make_shared<ShardedTotalVariationPrior>(*variation, space);
  }
  if (const auto* wavelets = dynamic_cast<const WaveletPrior*>(prior.get())) {
    return std::make_shared<ShardedWaveletPrior>(*wavelets, space);
  }
  return prior;
}

}  // namespace restoration
