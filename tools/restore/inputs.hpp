// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <map>

#include "restore/loaded_measurement.hpp"
#include "restore/plan.hpp"
#include "restore/run.hpp"
#include "tessera/comm/communicator.hpp"
#include "tessera/denoiser/denoiser.hpp"
#include "tessera/distributed/box_space.hpp"
#include "tessera/physics/linear_physics.hpp"

namespace restore {

/// All that a run reads, on one rank.
struct Inputs {
  Config config;
  std::map<std::int64_t, LoadedMeasurement> held;  ///< by index
  Plan plan;
  tessera::BoxSpacePtr space;  ///< where ranks share out the image; null: each has it whole
  tessera::Tensor image;       ///< zeros, this rank's part of an image
  tessera::LinearPhysicsPtr physics;
  tessera::TensorList measured;   ///< of the held ones, in intensities, scaled
  tessera::DenoiserPtr denoiser;  ///< what the prior is made of; null: of none
};

/// Reads, checks and settles everything. Collective; all ranks throw together.
Inputs read_inputs(const RunOrders& orders, const tessera::CommunicatorPtr& world);

}  // namespace restore
