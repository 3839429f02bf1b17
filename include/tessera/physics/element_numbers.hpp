// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "tessera/comm/box.hpp"
#include "tessera/core/error.hpp"
#include "tessera/core/tensor.hpp"
#include "tessera/core/text.hpp"

namespace tessera {

/// The numbers of a tensor's elements, by which noise is drawn: 0, 1, 2, ... in a whole tensor, and
/// in a part of one the numbers that its elements have in the whole, so that noise of a part is the
/// part of noise. Local.
class ElementNumbers {
 public:
  /// Of a whole tensor.
  explicit ElementNumbers(at::IntArrayRef shape)
      : count_(c10::multiply_integers(shape)), row_(count_) {}

  /// Of the part `box`, of shape (..., extents of box), of a tensor (..., extents) with the same
  /// leading dimensions. Throws error::ShapeMismatch unless the box lies within the extents and
  /// `shape` ends with its own.
  ElementNumbers(at::IntArrayRef shape, const Box& box, const Extents& extents);

  /// How many elements there are.
  std::int64_t count() const { return count_; }

  /// For the elements [begin, end) of the tensor: run(from, to, number) for each stretch [from, to)
  /// of them whose numbers are number, number + 1, ...
  template <typename Run>
  void each_run(std::int64_t begin, std::int64_t end, const Run& run) const {
    while (begin < end) {
      const std::int64_t row = begin / row_;
      const std::int64_t to = std::min(end, (row + 1) * row_);
      run(begin, to, first_of(row) + begin % row_);
      begin = to;
    }
  }

 private:
  std::int64_t first_of(std::int64_t row) const {
    std::int64_t number = first_;
    for (std::size_t d = rows_.size(); d-- > 0; row /= rows_[d])
      number += row % rows_[d] * steps_[d];
    return number;
  }

  std::int64_t count_;
  std::int64_t row_;  // elements whose numbers follow one another
  std::int64_t first_ = 0;
  Extents rows_, steps_;  // how many rows along each axis, and from one to the next
};

inline ElementNumbers::ElementNumbers(at::IntArrayRef shape, const Box& box, const Extents& extents)
    : ElementNumbers(shape) {
  const std::size_t axes = extents.size();
  bool fits = axes > 0 && box.axes.size() == axes && shape.size() >= axes;
  fits = fits && shape.slice(shape.size() - axes) == at::IntArrayRef(box.extents()) &&
         intersection(box, whole_box(extents)) == box;
  if (!fits) {
    throw error::ShapeMismatch(formatted(
        "ElementNumbers: a part of shape {} at {}, expected (..., extents of a box within "
        "{})",
        to_string(shape), to_string(box), to_string(extents)));
  }
  row_ = shape.back();
  const std::size_t leading = shape.size() - axes;
  std::int64_t step = 1;
  for (std::size_t d = shape.size(); d-- > 0;) {
    if (d + 1 < shape.size()) {
      rows_.insert(rows_.begin(), shape[d]);
      steps_.insert(steps_.begin(), step);
    }
    first_ += d < leading ? 0 : box.axes[d - leading].begin * step;
    step *= d < leading ? shape[d] : extents[d - leading];
  }
}

}  // namespace tessera
