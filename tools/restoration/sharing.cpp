// SPDX-License-Identifier: BSD-3-Clause
#include "restoration/sharing.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "restoration/enums.hpp"
#include "tessera/comm/same_on_all_ranks.hpp"
#include "tessera/core/error.hpp"
#include "tessera/io/digest.hpp"
#include "tessera/physics/stacked.hpp"

namespace restoration {

using namespace tessera;

LinearPhysicsPtr make_physics(bool is_shared, std::int64_t count,
                              const DistributedPhysics::Factory& factory,
                              const CommunicatorPtr& ranks) {
  if (is_shared) return std::make_shared<DistributedPhysics>(count, factory, ranks);
  return std::make_shared<StackedPhysics>(count, factory);
}

std::vector<std::int64_t> operators_per_rank(const LinearPhysics& physics, int ranks) {
  std::vector<std::int64_t> counts(static_cast<std::size_t>(ranks), physics.operator_count());
  if (const auto* shared = dynamic_cast<const DistributedPhysics*>(&physics)) {
    for (int rank = 0; rank < ranks; ++rank) {
      counts[static_cast<std::size_t>(rank)] =
          static_cast<std::int64_t>(shared->partition().of(rank).size());
    }
  }
  return counts;
}

std::string boxes_in_words(const BoxSpace& space) {
  const Extents largest = largest_of(space.boxes());
  return fmt::format("image of {}x{} pixels in {} x {} boxes, the largest {}x{}",
                     space.extents()[1], space.extents()[0], space.grid()[0], space.grid()[1],
                     largest[1], largest[0]);
}

Extents largest_of(const std::vector<Box>& boxes) {
  Extents largest(boxes.front().axes.size(), 0);
  for (const Box& box : boxes) {
    for (std::size_t d = 0; d < largest.size(); ++d) {
      largest[d] = std::max(largest[d], box.axes[d].length());
    }
  }
  return largest;
}

void check_tiles_fit(const TilingOptions& tiling, at::IntArrayRef image) {
  if (tiling.tiling != Tiling::fixed && tiling.tiling != Tiling::deepinv) return;
  const at::IntArrayRef extents = image.slice(2);
  const std::string what = fmt::format("--tiling {}", settings::name_of(tiling.tiling));
  const Extents patch = tiling.patch.along(extents.size(), 0, "--patch-size", what);
  const Extents overlap = tiling.overlap.along(extents.size(), 0, "--overlap", what);
  const std::string size =
      fmt::format("{}", fmt::join(extents.rbegin(), extents.rend(), "x"));  // width first
  const auto side_for = [&](const PerAxis& pixels, std::size_t axis) {
    return pixels.values().size() == 1 ? *std::min_element(extents.begin(), extents.end())
                                       : extents[axis];
  };
  for (std::size_t axis = 0; axis < extents.size(); ++axis) {
    const std::int64_t side = side_for(tiling.patch, axis);
    if (patch[axis] < 1 || patch[axis] > side) {
      throw error::InvalidArgument(fmt::format(
          "{}: a --patch-size of {} {}; give 1 to {}, or --tiling auto", what, patch[axis],
          patch[axis] < 1 ? std::string("makes no tile")
                          : fmt::format("is larger than the image, {}", size),
          side));
    }
    const std::int64_t reflected = side_for(tiling.overlap, axis);
    if (tiling.tiling == Tiling::deepinv && overlap[axis] >= reflected) {
      throw error::InvalidArgument(
          fmt::format("{}: an --overlap of {} cannot be reflected at the border of an image of "
                      "{}; give at most {}",
                      what, overlap[axis], size, reflected - 1));
    }
  }
}

void check_every_rank_works(const LinearPhysics& physics, const TiledDenoiser& denoiser,
                            at::IntArrayRef image, int ranks) {
  if (ranks == 1 || dynamic_cast<const DistributedPhysics*>(&physics) == nullptr) return;
  const std::vector<std::int64_t> operators = operators_per_rank(physics, ranks);
  const TilePlan plan = denoiser.plan(image);
  const Partition tiles = plan.assign(ranks);
  for (int rank = 0; rank < ranks; ++rank) {
    if (operators[static_cast<std::size_t>(rank)] > 0 || !tiles.of(rank).empty()) continue;
    throw error::InvalidArgument(
        fmt::format("rank {} of {} would have no work: there are {} operators and {} tiles. "
                    "Start fewer ranks, or give {}",
                    rank, ranks, physics.operator_count(), plan.tiles().size(),
                    denoiser.options().tiling == Tiling::even
                        ? "a larger --image-size or more --num-operators"
                        : "--tiling auto, which cuts for the number of ranks"));
  }
}

Digests digests_of(const Files& files) {
  Digests digests;
  for (const auto& [option, path] : files) digests[option] = digest_of_file(path);
  return digests;
}

void check_same_files(Communicator& world, const std::string& program, const Digests& digests) {
  NamedValues values;
  for (const auto& [option, digest] : digests) {
    values.emplace_back(fmt::format("the digest of the file of --{}", option), digest);
  }
  same_on_all_ranks(world, program, values);
}

}  // namespace restoration
