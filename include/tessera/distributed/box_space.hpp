// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <tuple>
#include <vector>

#include "tessera/comm/box_exchange.hpp"
#include "tessera/comm/image_space.hpp"
#include "tessera/physics/padding.hpp"

namespace tessera {

struct BoxSpaceOptions {
  /// Ranks along each axis; their product is the number of ranks. Empty: those whose boxes have the
  /// least surface.
  Extents grid = {};
  /// Cuts are at multiples of this, such as a denoiser's alignment(); boxes are as equal as that
  /// allows.
  std::int64_t alignment = 1;
};

/// Pixels that an operator sees beyond a pixel, along each axis, towards the beginning and the end.
struct Halo {
  Extents before, after;
  bool is_none() const {
    const auto is_zero = [](std::int64_t n) { return n == 0; };
    return std::all_of(before.begin(), before.end(), is_zero) &&
           std::all_of(after.begin(), after.end(), is_zero);
  }
};

/// Images that are never whole on any rank: each holds one box of a Cartesian grid. An image is
/// then a plain tensor, (B, C, extents of local()): what solvers do elementwise is right as it is,
/// inner products are sums over ranks, and neighbours come by with_halo.
class BoxSpace : public ImageSpace {
 public:
  /// Collective. Images with these spatial extents over `ranks`. Throws error::RankFailure, on
  /// every rank, if the arguments differ between ranks or some box would be empty.
  BoxSpace(CommunicatorPtr ranks, Extents extents, const BoxSpaceOptions& options = {});

  /// Local. Images of other extents on the ranks and the grid of `other`, cut into `boxes`, one for
  /// each rank, that do not overlap and cover them; some may be empty. What an operator measures of
  /// an image: BoxedOperator::measured_space().
  BoxSpace(const BoxSpace& other, Extents extents, std::vector<Box> boxes)
      : ImageSpace(other.ranks_),
        ranks_(other.ranks_),
        extents_(std::move(extents)),
        grid_(other.grid_),
        boxes_(std::move(boxes)) {}

  /// Of the whole image.
  const Extents& extents() const { return extents_; }
  /// Ranks along each axis.
  const Extents& grid() const { return grid_; }
  /// This rank's box, and those of all ranks.
  const Box& local() const { return boxes_[static_cast<std::size_t>(ranks_->rank())]; }
  const std::vector<Box>& boxes() const { return boxes_; }
  const CommunicatorPtr& ranks() const { return ranks_; }

  /// Local. Throws error::ShapeMismatch, beginning with `who`, unless `own` is (B, C, extents of
  /// local()).
  void check_own(const Tensor& own, const char* who) const;

  /// Local. This rank's part of an image (B, C, extents()) that it has whole.
  Tensor scatter(const Tensor& whole) const;
  /// Collective. The whole image on every rank: for small ones, and for tests.
  Tensor gather(const Tensor& own) const;

  /// Local. The pixels that with_halo gives, counted as those of the image: numbers below 0 and
  /// from the extents on are beyond its border.
  Box window(const Halo& halo, Padding padding) const;
  /// Collective. This rank's box and what surrounds it: pixels of other ranks and, at the border of
  /// the image, what `padding` says it continues with; with valid nothing, so that the result is
  /// smaller there. Throws error::RankFailure where a mirror image needs more than a rank has.
  Tensor with_halo(const Tensor& own, const Halo& halo, Padding padding) const;
  /// Collective. The exact transpose: `extended` is folded back to where each pixel came from.
  Tensor add_halo(const Tensor& extended, const Halo& halo, Padding padding) const;

 private:
  /// How a box is extended: first by other ranks' pixels, then at the border of the image.
  struct Extension {
    BoxExchange exchange;
    Extents before, after;
    Box window;  ///< all of it
  };
  const Extension& extension(const Halo& halo, Padding padding) const;

  CommunicatorPtr ranks_;
  Extents extents_;
  Extents grid_;
  std::vector<Box> boxes_;
  mutable std::map<std::tuple<Extents, Extents, Padding>, Extension> extensions_;
};

using BoxSpacePtr = std::shared_ptr<const BoxSpace>;

/// Local. The boxes of a BoxSpace over so many ranks, for plans. Throws error::InvalidArgument
/// where some box would be empty.
std::vector<Box> planned_boxes(const Extents& extents, int ranks,
                               const BoxSpaceOptions& options = {});

}  // namespace tessera

#include "tessera/distributed/detail/box_space.hpp"
