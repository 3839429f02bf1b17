// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <map>

#include "restore/facts.hpp"
#include "restore/image_part.hpp"
#include "restore/plan.hpp"
#include "restore/run.hpp"
#include "tessera/comm/communicator.hpp"
#include "tessera/distributed/box_space.hpp"
#include "tessera/physics/linear_physics.hpp"

/// Runs with --distribute-image: ranks share out the image, and each reads, restores and writes its
/// box of it.
namespace restore {

/// Throws error::InvalidArgument, saying what would do instead, for what is not offered where ranks
/// share out the image.
void check_on_boxes(const Config& config);

/// The row of the plan that tells the boxes.
PlanRow row_of_boxes(const tessera::BoxSpace& space);

/// Collective. The boxes of the image that these measurements see, of which only the outlines are
/// known.
tessera::BoxSpacePtr boxes_of_image(const Config& config,
                                    const std::map<std::int64_t, LoadedMeasurement>& outlines,
                                    const tessera::CommunicatorPtr& world);

/// Collective. The operator on boxes; reads this rank's part of the measurement and of masks into
/// `loaded`, which was an outline.
tessera::LinearPhysicsPtr load_on_boxes(const Measurement& measurement, LoadedMeasurement& loaded,
                                        const tessera::BoxSpacePtr& image);

/// Collective. facts_of() of the whole measurement, the same on all ranks and for all cuts.
Facts facts_on_boxes(const Measurement& measurement, const LoadedMeasurement& loaded);

/// Local. The frame of an image of which each rank has its box.
ImagePart frame_on_boxes(const Plan& plan, const tessera::BoxSpace& space,
                         const tessera::Tensor& own);

}  // namespace restore
