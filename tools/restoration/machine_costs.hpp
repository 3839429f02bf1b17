// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "tessera/core/tensor.hpp"
#include "tessera/denoiser/denoiser.hpp"
#include "tessera/distributed/scaling_model.hpp"
#include "tessera/physics/linear_physics.hpp"

namespace restoration {

/// Local. What an iteration of plug-and-play proximal gradient on `image` costs on this machine,
/// found out in less than a minute; what the network costs is left open. `physics` stands for all
/// operators: the fused gradient of blurs costs the same for any number. `idle` stands for the
/// denoiser where all else is measured: it cuts and joins what it would, and takes no time.
tessera::MachineCosts machine_costs(const tessera::LinearPhysicsPtr& physics,
                                    const tessera::Denoiser& denoiser, double sigma,
                                    const tessera::Tensor& image, const tessera::DenoiserPtr& idle);

}  // namespace restoration
