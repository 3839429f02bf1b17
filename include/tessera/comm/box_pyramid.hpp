// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/ops/constant_pad_nd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "tessera/comm/box.hpp"
#include "tessera/comm/box_exchange.hpp"
#include "tessera/comm/communicator.hpp"
#include "tessera/core/tensor.hpp"

namespace tessera {

/// The boxes of an image that ranks share out, at every scale of a network that they compute layer
/// by layer: a pixel of scale s stands for s pixels of the image along every axis. A convolution
/// sees pixels of other ranks and, outside the image, zeros.
///
/// Features are tensors (B, C, extents of local(scale)) of a floating dtype, the same on all ranks;
/// 16-bit ones travel as float32. Nothing is recorded for differentiation.
class BoxPyramid {
 public:
  /// Local; the arguments are the same on all ranks. `boxes`: one per rank, disjoint, which fill
  /// the image; the scales that are asked for divide all of their ends.
  BoxPyramid(CommunicatorPtr ranks, std::vector<Box> boxes);

  /// Local. This rank's box, in pixels of the scale.
  Box local(std::int64_t scale = 1) const { return at_scale(boxes_[mine()], scale); }
  /// Local. The box and the pixels of the image that are at most `width` away from it.
  Box around(std::int64_t scale, std::int64_t width) const {
    return intersection(widened(local(scale), width), at_scale(image_, scale));
  }

  /// Collective: one exchange. `window` has the features of the box in their place among pixels
  /// from `origin` on; fills what else it has of around(scale, width), all of it.
  void fill_around(const Tensor& window, const Box& origin, std::int64_t scale,
                   std::int64_t width) const;
  /// Collective: one exchange. The features with `width` pixels more at either end of every axis:
  /// those of other ranks and, outside the image, zeros.
  Tensor with_halo(const Tensor& features, std::int64_t scale, std::int64_t width) const;
  /// Local. Sets to zero what `grown`, which has `width` pixels more at either end than the
  /// features, has outside the image: as a second convolution is to find it.
  void clear_outside(const Tensor& grown, std::int64_t scale, std::int64_t width) const;

 private:
  std::size_t mine() const { return static_cast<std::size_t>(ranks_->rank()); }
  static Box at_scale(Box box, std::int64_t scale) {
    for (Interval& along : box.axes) along = {along.begin / scale, along.end / scale};
    return box;
  }
  static Box widened(Box box, std::int64_t width) {
    for (Interval& along : box.axes) along = {along.begin - width, along.end + width};
    return box;
  }
  const BoxExchange& exchange(std::int64_t scale, std::int64_t width) const;

  CommunicatorPtr ranks_;
  std::vector<Box> boxes_;
  Box image_;
  mutable std::map<std::pair<std::int64_t, std::int64_t>, BoxExchange> exchanges_;
};

inline BoxPyramid::BoxPyramid(CommunicatorPtr ranks, std::vector<Box> boxes)
    : ranks_(std::move(ranks)), boxes_(std::move(boxes)), image_(boxes_.front()) {
  for (const Box& box : boxes_) {
    for (std::size_t d = 0; d < box.axes.size(); ++d) {
      Interval& along = image_.axes[d];
      along = {std::min(along.begin, box.axes[d].begin), std::max(along.end, box.axes[d].end)};
    }
  }
}

/// What surrounds a box: along one axis after the other the pixels before and behind it, as long as
/// the box along the axes before and as the wider box along those that follow.
inline const BoxExchange& BoxPyramid::exchange(std::int64_t scale, std::int64_t width) const {
  const auto found = exchanges_.find({scale, width});
  if (found != exchanges_.end()) return found->second;
  BoxesOfRanks owned, wanted;
  for (const Box& fine : boxes_) {
    const Box box = at_scale(fine, scale);
    owned.push_back({box});
    wanted.emplace_back();
    Box part = widened(box, width);
    for (std::size_t d = 0; d < box.axes.size(); ++d) {
      const Interval along = box.axes[d];
      for (const Interval beyond :
           {Interval{along.begin - width, along.begin}, Interval{along.end, along.end + width}}) {
        part.axes[d] = beyond;
        wanted.back().push_back(intersection(part, at_scale(image_, scale)));
      }
      part.axes[d] = along;
    }
  }
  return exchanges_
      .try_emplace({scale, width}, BoxExchange(ranks_, std::move(owned), std::move(wanted)))
      .first->second;
}

inline void BoxPyramid::fill_around(const Tensor& window, const Box& origin, std::int64_t scale,
                                    std::int64_t width) const {
  const BoxExchange& parts = exchange(scale, width);
  Tensor own = part_of(window, origin, local(scale));
  if (own.element_size() < 4) own = own.to(at::kFloat);
  const TensorList received = parts.forward({own});
  const std::vector<Box>& places = parts.wanted()[mine()];
  for (std::size_t i = 0; i < places.size(); ++i) {
    part_of(window, origin, places[i]).copy_(received[i]);
  }
}

inline Tensor BoxPyramid::with_halo(const Tensor& features, std::int64_t scale,
                                    std::int64_t width) const {
  const Box origin = widened(local(scale), width);
  Tensor result =
      at::constant_pad_nd(features, std::vector<std::int64_t>(2 * origin.axes.size(), width));
  fill_around(result, origin, scale, width);
  return result;
}

inline void BoxPyramid::clear_outside(const Tensor& grown, std::int64_t scale,
                                      std::int64_t width) const {
  const Box box = local(scale);
  const Box image = at_scale(image_, scale);
  for (std::size_t d = 0; d < box.axes.size(); ++d) {
    const std::int64_t axis = static_cast<std::int64_t>(d) + 2;
    const std::int64_t before = image.axes[d].begin - (box.axes[d].begin - width);
    const std::int64_t after = box.axes[d].end + width - image.axes[d].end;
    if (before > 0) grown.narrow(axis, 0, before).zero_();
    if (after > 0) grown.narrow(axis, grown.size(axis) - after, after).zero_();
  }
}

}  // namespace tessera
