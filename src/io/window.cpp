// SPDX-License-Identifier: BSD-3-Clause
#include "io/window.hpp"

#include <fmt/format.h>

#include "tessera/core/error.hpp"
#include "tessera/core/tensor.hpp"

namespace tessera::detail {

Window checked_window(const char* function, const std::string& path, const Window& window,
                      const std::vector<std::int64_t>& shape) {
  if (window.empty()) {
    Window whole;
    for (const std::int64_t extent : shape) whole.push_back({0, extent});
    return whole;
  }
  if (window.size() != shape.size()) {
    throw error::InvalidArgument(
        fmt::format("{}: {}: the window has {} ranges, expected {} for an array of shape {}",
                    function, path, window.size(), shape.size(), to_string(shape)));
  }
  for (std::size_t i = 0; i < shape.size(); ++i) {
    const auto [first, count] = window[i];
    if (first < 0 || count < 1 || first > shape[i] || count > shape[i] - first) {
      throw error::InvalidArgument(fmt::format(
          "{}: {}: the window takes {} indices from {} on of dimension {}, expected 1 or more "
          "within its {}",
          function, path, count, first, i, shape[i]));
    }
  }
  return window;
}

std::vector<std::int64_t> extents_of(const Window& window) {
  std::vector<std::int64_t> extents;
  for (const IndexRange& range : window) extents.push_back(range.count);
  return extents;
}

namespace {

class WindowReader {
 public:
  WindowReader(const InputFile& file, std::uint64_t size, const std::vector<std::int64_t>& shape,
               const Window& window, void* target)
      : file_(file), window_(window), target_(static_cast<char*>(target)) {
    steps_.assign(shape.size() + 1, size);
    for (std::size_t i = shape.size(); i-- > 0;) {
      steps_[i] = steps_[i + 1] * static_cast<std::uint64_t>(shape[i]);
    }
    while (whole_ > 0 && window[whole_ - 1].first == 0 &&
           window[whole_ - 1].count == shape[whole_ - 1]) {
      --whole_;
    }
  }

  /// What the window has of dimensions `dimension` and later, beginning at `offset`.
  void read(std::size_t dimension, std::uint64_t offset) {
    if (dimension >= whole_) return take(offset, steps_[dimension]);
    const auto first = static_cast<std::uint64_t>(window_[dimension].first);
    const auto count = static_cast<std::uint64_t>(window_[dimension].count);
    const std::uint64_t step = steps_[dimension + 1];
    offset += first * step;
    if (dimension + 1 >= whole_) return take(offset, count * step);
    for (std::uint64_t i = 0; i < count; ++i) read(dimension + 1, offset + i * step);
  }

 private:
  void take(std::uint64_t offset, std::uint64_t count) {
    file_.read(offset, target_, count);
    target_ += count;
  }

  const InputFile& file_;
  const Window& window_;
  std::vector<std::uint64_t> steps_;    // bytes between indices; all at the front
  std::size_t whole_ = window_.size();  // dimensions from here on are taken whole
  char* target_;
};

}  // namespace

void read_window(const InputFile& file, std::uint64_t offset, std::uint64_t size,
                 const std::vector<std::int64_t>& shape, const Window& window, void* target) {
  for (const IndexRange& range : window) {
    if (range.count == 0) return;
  }
  WindowReader(file, size, shape, window, target).read(0, offset);
}

}  // namespace tessera::detail
