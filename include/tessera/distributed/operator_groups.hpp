// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "tessera/comm/agreement.hpp"
#include "tessera/comm/same_on_all_ranks.hpp"
#include "tessera/comm/tensor_view.hpp"
#include "tessera/core/error.hpp"
#include "tessera/core/text.hpp"
#include "tessera/distributed/box_space.hpp"
#include "tessera/physics/linear_physics.hpp"

namespace tessera {

/// Ranks in two dimensions: groups of neighbouring ranks, each of which shares out the image, and
/// with it some of the operators.
///
///   6 ranks, 2 groups        box 0    box 1    box 2
///   operators of group 0     rank 0   rank 1   rank 2
///   operators of group 1     rank 3   rank 4   rank 5
class RankGrid {
 public:
  /// Collective. Throws error::RankFailure, on every rank, unless the groups divide the ranks.
  RankGrid(CommunicatorPtr all, int groups);

  const CommunicatorPtr& all() const { return all_; }
  /// The ranks of this rank's group, which share out the image: those of a BoxSpace.
  const CommunicatorPtr& image() const { return image_; }
  /// The ranks of all groups that have this rank's box.
  const CommunicatorPtr& peers() const { return peers_; }
  /// This rank's group.
  int group() const { return peers_->rank(); }
  int groups() const { return peers_->size(); }

 private:
  CommunicatorPtr all_, image_, peers_;
};

/// The operators of all groups of a RankGrid as one physics on images in boxes. forward() exchanges
/// within a group; adjoint() adds up the box over groups, one all-reduce of a box. Both are
/// collective over all ranks, and a failure in one group ends them on all. Each group has
/// the image, in the same boxes: denoisers and priors on a group's space do their work once in each
/// group. Not differentiable.
class OperatorGroups : public LinearPhysics {
 public:
  /// Collective. `mine`: this group's operators on `space`, of grid.image() and of the same boxes
  /// in every group. Throws error::RankFailure, on every rank, for others.
  OperatorGroups(RankGrid grid, const BoxSpacePtr& space, LinearPhysicsPtr mine);

  /// The same in every group, whatever its operators.
  std::string name() const override { return "operator_groups"; }
  std::int64_t operator_count() const override { return count_; }
  std::vector<std::int64_t> held() const override { return held_; }
  /// All ranks.
  Communicator& communicator() const override { return *grid_.all(); }
  /// That of this rank's group.
  const ImageSpace& space() const override { return mine_->space(); }

 private:
  /// Collective over all ranks. `step` of this rank's group, all of whose ranks agree before all
  /// groups do: a rank that fails in either meets the others.
  template <typename Step>
  auto in_group(const char* function, const Step& step) const {
    const std::string who = formatted("{}.{}", name(), function);
    agree(communicator(), who, nullptr);
    return guarded(communicator(), who, [&] { return guarded(*grid_.image(), who, step); });
  }

  TensorList do_forward(const Tensor& x) const override {
    return in_group("forward", [&] { return mine_->forward(x); });
  }
  TensorList do_measure(const Tensor& x) const override {
    return in_group("measure", [&] { return mine_->measure(x); });
  }
  Tensor do_adjoint(const TensorList& v) const override {
    Tensor sum = in_group("adjoint", [&] { return mine_->adjoint(v).contiguous().clone(); });
    committed(communicator(), name(), [&] { all_reduce(*grid_.peers(), sum); });
    return sum;
  }

  RankGrid grid_;
  LinearPhysicsPtr mine_;
  std::int64_t count_ = 0;
  std::vector<std::int64_t> held_;
};

inline RankGrid::RankGrid(CommunicatorPtr all, int groups) : all_(std::move(all)) {
  fail_together(*all_, "RankGrid", [&] {
    if (groups >= 1 && all_->size() % groups == 0) return;
    throw error::InvalidArgument(
        formatted("RankGrid: {} groups of {} ranks, expected a number that divides them", groups,
                  all_->size()));
  });
  same_on_all_ranks(*all_, "RankGrid", "the number of groups", groups);
  const int boxes = all_->size() / groups;
  const int rank = all_->rank();
  image_ = all_->split(rank / boxes, rank);
  peers_ = all_->split(rank % boxes, rank);
}

inline OperatorGroups::OperatorGroups(RankGrid grid, const BoxSpacePtr& space,
                                      LinearPhysicsPtr mine)
    : grid_(std::move(grid)), mine_(std::move(mine)) {
  const std::string who = "OperatorGroups";
  fail_together(communicator(), who, [&] {
    if (space && mine_ && &mine_->space() == space.get() && space->ranks() == grid_.image()) return;
    throw error::InvalidArgument(
        formatted("{}: expected a space of RankGrid::image() and operators on that space", who));
  });
  same_on_all_ranks(communicator(), who, "the extents", to_string(space->extents()), "the grid",
                    to_string(space->grid()), "the first box", to_string(space->boxes().front()));
  std::vector<std::int64_t> counts(static_cast<std::size_t>(grid_.groups()), 0);
  const std::vector<std::int64_t> each(static_cast<std::size_t>(grid_.groups()), 1);
  committed(communicator(), who, [&] {
    const std::int64_t own = mine_->operator_count();
    grid_.peers()->control().all_gather(&own, counts.data(), each, DataType::i64);
  });
  const auto before = counts.begin() + grid_.group();
  held_.resize(static_cast<std::size_t>(*before));
  std::iota(held_.begin(), held_.end(), std::accumulate(counts.begin(), before, std::int64_t{0}));
  count_ = std::accumulate(counts.begin(), counts.end(), std::int64_t{0});
}

}  // namespace tessera
