// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "restoration/outcome.hpp"
#include "tessera/core/tensor.hpp"
#include "tessera/denoiser/denoiser.hpp"
#include "tessera/distributed/box_space.hpp"
#include "tessera/distributed/boxed_operator.hpp"
#include "tessera/distributed/tiled_denoiser.hpp"
#include "tessera/physics/linear_physics.hpp"
#include "tessera/physics/noise.hpp"
#include "tessera/prior/prior.hpp"

/// The parts of a run in which ranks share out the image.
namespace restoration {

/// An operator on boxes, and where what it measures lives.
struct SharedOperator {
  tessera::LinearPhysicsPtr physics;
  tessera::BoxedOperatorPtr boxed;  ///< null: by Fourier transforms of slabs
  tessera::BoxSpacePtr measured;
};

/// Local. A blur, or a frame that has every factor-th pixel of one. Circular blurs have exact norms
/// and proximal operators by Fourier transforms of slabs; all others exchange halos.
SharedOperator shared_blur(const tessera::BoxSpacePtr& space, const tessera::Tensor& kernel,
                           tessera::Padding border, std::int64_t factor = 1);

/// Local. All of them as one physics.
tessera::LinearPhysicsPtr stacked(const std::vector<SharedOperator>& operators);

/// Collective. This rank's part of a noisy measurement. With `one` and `truth` in double precision
/// it is the same, to the bit but for one value in some hundred millions, on any number of ranks.
tessera::Tensor measured_by(const SharedOperator& one, const tessera::Tensor& truth,
                            const tessera::Noise& noise);

/// Local. Whether `network` can exchange features between its layers.
bool has_layers(const tessera::Denoiser& network);

/// Local. Such a network layer by layer on boxes.
tessera::DenoiserPtr by_layers_on(const tessera::BoxSpacePtr& space,
                                  const tessera::DenoiserPtr& network);

/// Local. The denoiser on the boxes of outcome.space, layer by layer or by tiles: told in the
/// outcome, of which the truth is there.
tessera::DenoiserPtr shared_denoiser(const tessera::DenoiserPtr& network, bool by_layers,
                                     const tessera::TilingOptions& tiling, Outcome& outcome);

/// Collective. Such a network for images that every rank has whole, told in the outcome, of which
/// the truth is there.
tessera::DenoiserPtr gathered_denoiser(const tessera::DenoiserPtr& network,
                                       const tessera::CommunicatorPtr& ranks, Outcome& outcome);

/// Local. The prior of boxes for one of whole images: those of ridge, total variation and wavelets;
/// the others are of the space of their denoiser.
tessera::PriorPtr prior_of_boxes(const tessera::PriorPtr& prior, const tessera::BoxSpacePtr& space);

}  // namespace restoration
