// SPDX-License-Identifier: BSD-3-Clause
#include "io/window.hpp"

#include <fmt/format.h>

#include <vector>

#include "tessera/core/error.hpp"

namespace tessera::detail {

Box checked_window(const char* function, const std::string& path, const Box& window,
                   const Extents& shape) {
  if (window.axes.size() > shape.size()) {
    throw error::InvalidArgument(
        fmt::format("{}: {}: the window is {}, expected at most {} axes for an array of shape {}",
                    function, path, to_string(window), shape.size(), to_string(shape)));
  }
  Box box = whole_box(shape);
  const std::size_t leading = shape.size() - window.axes.size();
  for (std::size_t d = 0; d < window.axes.size(); ++d) {
    const auto [begin, end] = window.axes[d];
    if (begin < 0 || begin >= end || end > shape[leading + d]) {
      throw error::InvalidArgument(fmt::format(
          "{}: {}: the window is {}, expected 1 or more indices along each axis, within "
          "the last axes of an array of shape {}",
          function, path, to_string(window), to_string(shape)));
    }
    box.axes[leading + d] = window.axes[d];
  }
  return box;
}

void each_piece(std::uint64_t offset, std::uint64_t size, const Extents& shape, const Box& window,
                const std::function<void(std::uint64_t, std::uint64_t)>& visit) {
  if (window.is_empty()) return;
  std::vector<std::uint64_t> steps(shape.size() + 1, size);  // bytes between indices; all at first
  for (std::size_t d = shape.size(); d-- > 0;) {
    steps[d] = steps[d + 1] * static_cast<std::uint64_t>(shape[d]);
  }
  std::size_t whole = shape.size();  // axes from here on are taken whole
  while (whole > 0 && window.axes[whole - 1].length() == shape[whole - 1]) --whole;
  const std::function<void(std::size_t, std::uint64_t)> walk = [&](std::size_t axis,
                                                                   std::uint64_t from) {
    if (axis >= whole) return visit(from, steps[axis]);
    const std::uint64_t step = steps[axis + 1];
    const auto count = static_cast<std::uint64_t>(window.axes[axis].length());
    from += static_cast<std::uint64_t>(window.axes[axis].begin) * step;
    if (axis + 1 >= whole) return visit(from, count * step);
    for (std::uint64_t i = 0; i < count; ++i) walk(axis + 1, from + i * step);
  };
  walk(0, offset);
}

}  // namespace tessera::detail
