// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "tessera/core/tensor.hpp"
#include "tessera/core/text.hpp"

namespace tessera {

/// Pixels [begin, end) along one axis.
struct Interval {
  std::int64_t begin = 0;
  std::int64_t end = 0;
  std::int64_t length() const { return end - begin; }
  bool operator==(const Interval&) const = default;
};

/// A box of pixels: an interval per spatial axis.
struct Box {
  std::vector<Interval> axes;

  bool is_empty() const {
    return std::any_of(axes.begin(), axes.end(), [](Interval i) { return i.length() <= 0; });
  }
  Extents extents() const {
    Extents lengths;
    for (const Interval axis : axes) lengths.push_back(axis.length());
    return lengths;
  }
  bool operator==(const Box&) const = default;
};

/// All pixels of an image with these spatial extents.
inline Box whole_box(at::IntArrayRef extents) {
  Box box;
  for (const std::int64_t extent : extents) box.axes.push_back({0, extent});
  return box;
}

/// What two boxes have in common; of no length along an axis where that is nothing.
inline Box intersection(const Box& a, const Box& b) {
  Box common;
  for (std::size_t d = 0; d < a.axes.size(); ++d) {
    const std::int64_t begin = std::max(a.axes[d].begin, b.axes[d].begin);
    common.axes.push_back({begin, std::max(begin, std::min(a.axes[d].end, b.axes[d].end))});
  }
  return common;
}

/// The part `box` of an image whose first pixel is at `origin.axes[d].begin`. A view.
inline Tensor part_of(const Tensor& image, const Box& origin, const Box& box) {
  Tensor part = image;
  const auto leading = image.dim() - static_cast<std::int64_t>(box.axes.size());
  for (std::size_t d = 0; d < box.axes.size(); ++d) {
    part = part.narrow(leading + static_cast<std::int64_t>(d),
                       box.axes[d].begin - origin.axes[d].begin, box.axes[d].length());
  }
  return part;
}

/// "[0, 12) x [8, 16)".
inline std::string to_string(const Box& box) {
  std::string text;
  for (const Interval axis : box.axes) {
    text += formatted("{}[{}, {})", text.empty() ? "" : " x ", axis.begin, axis.end);
  }
  return text;
}

}  // namespace tessera
