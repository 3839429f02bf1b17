// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/ops/empty.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "tessera/comm/agreement.hpp"
#include "tessera/comm/box_exchange.hpp"
#include "tessera/comm/same_on_all_ranks.hpp"
#include "tessera/distributed/box_space.hpp"

/// How an image that ranks share out comes to the rank that has a file, and from there to all: slab
/// by slab, so that no rank holds more of it than its box and a slab.
namespace tessera {

/// The most bytes of a slab, unless one row (in 3-D: one plane) has more.
inline constexpr std::int64_t slab_bytes = std::int64_t{1} << 26;

namespace detail {

/// Calls visit(image, box) for slabs that are a shared-out image in C order: `image` is a view of
/// `own`, of one image and channel, and `box` some of the rows of the whole.
template <typename Visit>
void each_slab(const BoxSpace& space, const Tensor& own, std::int64_t most_bytes,
               const Visit& visit) {
  const Box whole = whole_box(space.extents());
  const std::int64_t rows = space.extents().front();
  const std::int64_t row_bytes =
      c10::multiply_integers(space.extents()) / rows * own.element_size();
  const std::int64_t step = std::max<std::int64_t>(1, most_bytes / row_bytes);
  for (std::int64_t image = 0; image < own.size(0); ++image) {
    for (std::int64_t channel = 0; channel < own.size(1); ++channel) {
      for (std::int64_t row = 0; row < rows; row += step) {
        Box slab = whole;
        slab.axes.front() = {row, std::min(rows, row + step)};
        visit(own[image][channel], slab);
      }
    }
  }
}

/// Collective.
inline void check_to_stream(const BoxSpace& space, const Tensor& own, const char* who) {
  Communicator& ranks = space.communicator();
  fail_together(ranks, who, [&] { space.check_own(own, who); });
  same_on_all_ranks(ranks, who, "the batch", own.size(0), "the channels", own.size(1), "the dtype",
                    c10::toString(own.scalar_type()));
}

/// One box for the first rank, none for the others.
inline BoxesOfRanks at_root(const BoxSpace& space, const Box& box) {
  BoxesOfRanks boxes(space.boxes().size(), {Box{std::vector<Interval>(box.axes.size())}});
  boxes.front() = {box};
  return boxes;
}

}  // namespace detail

/// Collective. The whole of an image whose parts are `own`, (B, C, extents of the box), to the
/// first rank: `take` is called there with slabs that one after the other are its elements in C
/// order, on the device of `own`. An exception of `take` ends the call on all ranks
/// (error::RankFailure). Communicates the image once.
inline void stream_to_root(const BoxSpace& space, const Tensor& own,
                           const std::function<void(const Tensor&)>& take,
                           std::int64_t most_bytes = slab_bytes) {
  Communicator& ranks = space.communicator();
  detail::check_to_stream(space, own, "stream_to_root");
  const BoxesOfRanks owned = one_each(space.boxes());
  detail::each_slab(space, own, most_bytes, [&](const Tensor& image, const Box& slab) {
    const BoxExchange exchange(space.ranks(), owned, detail::at_root(space, slab));
    const Tensor here = exchange.forward({image}).front();
    if (ranks.is_root()) fail_together(ranks, "stream_to_root", [&] { take(here); });
  });
  agree(ranks, "stream_to_root", nullptr);
}

/// Collective. The reverse: `give` fills slabs on the first rank, contiguous ones in the same
/// order, and each rank gets its box of the image in `own`, (B, C, extents of the box). An
/// exception of `give` ends the call on all ranks (error::RankFailure); `own` then holds parts of
/// the image.
inline void stream_from_root(const BoxSpace& space, Tensor& own,
                             const std::function<void(Tensor&)>& give,
                             std::int64_t most_bytes = slab_bytes) {
  Communicator& ranks = space.communicator();
  detail::check_to_stream(space, own, "stream_from_root");
  detail::each_slab(space, own, most_bytes, [&](const Tensor& image, const Box& slab) {
    const BoxesOfRanks owned = detail::at_root(space, slab);
    BoxesOfRanks wanted;
    for (const Box& box : space.boxes()) wanted.push_back({intersection(box, slab)});
    const auto rank = static_cast<std::size_t>(ranks.rank());
    const Tensor values = fail_together(ranks, "stream_from_root", [&] {
      Tensor filled = at::empty(owned[rank].front().extents(), own.options());
      if (ranks.is_root()) give(filled);
      return filled;
    });
    const Tensor mine = BoxExchange(space.ranks(), owned, wanted).forward({values}).front();
    const Box& part = wanted[rank].front();
    if (!part.is_empty()) part_of(image, space.local(), part).copy_(mine);
  });
}

}  // namespace tessera
