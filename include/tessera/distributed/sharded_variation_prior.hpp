// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/ops/empty_like.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "tessera/core/text.hpp"
#include "tessera/denoiser/total_variation.hpp"
#include "tessera/distributed/boxed_operators.hpp"
#include "tessera/prior/l1_prior.hpp"
#include "tessera/prior/total_variation_prior.hpp"

namespace tessera {

/// TotalVariationPrior on images that ranks share out: its value, and its proximal operator by the
/// same accelerated steps on the dual (TotalVariation), as many as for the whole image. Each step
/// exchanges twice, the pixels next to a box; the duality gap, every tenth step, is three sums over
/// ranks. PrimalDual with boxed_differences needs no inner steps.
class ShardedTotalVariationPrior : public Prior {
 public:
  /// Throws error::InvalidArgument for a null space.
  ShardedTotalVariationPrior(const TotalVariationPrior& prior, const BoxSpacePtr& space)
      : weight_(prior.weight()),
        options_(prior.options()),
        differences_(boxed_differences(space)) {}

  std::string name() const override { return "sharded(total_variation_prior)"; }
  bool is_convex() const override { return true; }
  /// Collective. g of the whole image, all images of the batch together, in float64.
  std::optional<double> value(const Tensor& x) const override {
    return weight_ * boxed_total_variation(*differences_, x, options_.channels);
  }
  Communicator& communicator() const override { return differences_->communicator(); }
  const ImageSpace& space() const override { return differences_->space(); }

 private:
  /// Collective. Images of a batch one after the other, as TotalVariation takes them.
  inline Tensor do_prox(const Tensor& z, double step) const override;
  /// Of one image (1, C, box).
  inline Tensor solved(const Tensor& z, double weight) const;
  /// How far a primal point may be above the optimum, as a part of the objective.
  inline double relative_gap(const Tensor& z, const Tensor& primal, const Tensor& field,
                             const GroupL1Prior& lengths) const;

  double weight_;
  TotalVariationOptions options_;
  std::shared_ptr<const BoxedOperator> differences_;
};

inline Tensor ShardedTotalVariationPrior::do_prox(const Tensor& z, double step) const {
  const bool half = z.scalar_type() == at::kHalf || z.scalar_type() == at::kBFloat16;
  const Tensor images = z.to(half ? at::kFloat : z.scalar_type());
  Tensor result = at::empty_like(images);
  for (std::int64_t i = 0; i < z.size(0); ++i) {
    result.narrow(0, i, 1).copy_(solved(images.narrow(0, i, 1), step * weight_));
  }
  return result.to(z.scalar_type());
}

inline double ShardedTotalVariationPrior::relative_gap(const Tensor& z, const Tensor& primal,
                                                       const Tensor& field,
                                                       const GroupL1Prior& lengths) const {
  const Tensor edges = differences_->forward(primal).front();
  const Tensor moved = primal - z;
  const double variation = differences_->sum(*lengths.value(edges));
  const double gap = variation - space().dot_each(edges, field, 1).front();
  const double value = 0.5 * space().dot_each(moved, moved, 1).front() + variation;
  return value == 0 ? 0 : gap / value;
}

inline Tensor ShardedTotalVariationPrior::solved(const Tensor& z, double weight) const {
  const GroupL1Prior lengths(weight, options_.channels == ChannelCoupling::joint ? 1 : z.size(1));
  const auto primal = [&](const Tensor& field) { return z - differences_->adjoint({field}); };
  const double length = detail::step_length(z.dim() - 2);
  Tensor ahead = length * differences_->forward(z).front();
  Tensor field = at::zeros_like(ahead);
  Tensor image = z;
  for (std::int64_t steps = 0; steps < options_.max_iterations;) {
    if (!(relative_gap(z, image, field, lengths) > options_.relative_gap)) break;
    const std::int64_t next_check =
        std::min(options_.max_iterations, steps + detail::steps_between_checks);
    while (steps < next_check) {
      // Moreau: what is left of a soft threshold of lengths is the projection to at most `weight`.
      const Tensor next = ahead - lengths.prox(ahead, 1);
      const Tensor extrapolated = next + detail::momentum(++steps) * (next - field);
      field = next;
      ahead = extrapolated + length * differences_->forward(primal(extrapolated)).front();
    }
    image = primal(field);
  }
  return image;
}

}  // namespace tessera
