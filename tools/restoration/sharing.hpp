// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "tessera/comm/communicator.hpp"
#include "tessera/distributed/box_space.hpp"
#include "tessera/distributed/distributed_physics.hpp"
#include "tessera/distributed/tiled_denoiser.hpp"
#include "tessera/physics/linear_physics.hpp"

namespace restoration {

/// `count` operators: shared among the ranks, or all of them on each. Collective if shared.
tessera::LinearPhysicsPtr make_physics(bool is_shared, std::int64_t count,
                                       const tessera::DistributedPhysics::Factory& factory,
                                       const tessera::CommunicatorPtr& ranks);

/// How many operators each of `ranks` ranks has.
std::vector<std::int64_t> operators_per_rank(const tessera::LinearPhysics& physics, int ranks);

/// "image of 96x60 pixels in 1 x 3 boxes, the largest 32x60", of images of two dimensions.
std::string boxes_in_words(const tessera::BoxSpace& space);

/// The largest extents of any of the boxes, along each axis.
tessera::Extents largest_of(const std::vector<tessera::Box>& boxes);

/// Throws error::InvalidArgument, in the words of the command line, for a patch or an overlap that
/// does not fit images of the shape (1, C, H, W).
void check_tiles_fit(const tessera::TilingOptions& tiling, at::IntArrayRef image);

/// Throws error::InvalidArgument, on every rank, if some rank has neither an operator nor a tile.
/// What is not shared is done by every rank.
void check_every_rank_works(const tessera::LinearPhysics& physics,
                            const tessera::TiledDenoiser& denoiser, at::IntArrayRef image,
                            int ranks);

/// The files that a result depends on: the option that names each, without dashes, and its path.
using Files = std::vector<std::pair<std::string, std::string>>;

/// Of the contents of files, by option.
using Digests = std::map<std::string, std::string>;
Digests digests_of(const Files& files);

/// Collective. Throws error::RankFailure if ranks found different files. `program` begins the
/// message.
void check_same_files(tessera::Communicator& world, const std::string& program,
                      const Digests& digests);

}  // namespace restoration
