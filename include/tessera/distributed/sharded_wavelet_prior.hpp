// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/ops/cat.h>
#include <ATen/ops/zeros.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tessera/core/error.hpp"
#include "tessera/core/text.hpp"
#include "tessera/distributed/boxed_operator.hpp"
#include "tessera/prior/l1_prior.hpp"
#include "tessera/prior/wavelet_prior.hpp"

namespace tessera {

namespace detail {

/// One level of WaveletTransform on a window of order - 1 pixels to each side of a box: what the
/// box has of approximation and details, in its halves along each axis.
class WaveletSplit : public LinearOperator {
 public:
  explicit WaveletSplit(int order) : filters_(wavelet_filters(order)) {}
  std::string name() const override { return "wavelet_split"; }

 private:
  /// Samples of one parity that tap n reads, for `count` outputs. A view.
  static Tensor read_by(const Tensor& window, std::int64_t axis, std::size_t n,
                        std::int64_t count) {
    const auto tap = static_cast<std::int64_t>(n);
    return window.unflatten(axis, {window.size(axis) / 2, 2})
        .select(axis + 1, tap % 2)
        .narrow(axis, tap / 2, count);
  }
  std::int64_t beyond() const { return static_cast<std::int64_t>(filters_.low.size()) - 2; }

  Tensor do_apply(const Tensor& x) const override {
    Tensor part = x;
    for (std::int64_t axis = 2; axis < x.dim(); ++axis) {
      const std::int64_t count = (part.size(axis) - beyond()) / 2;
      Tensor low = filters_.low[0] * read_by(part, axis, 0, count);
      Tensor high = filters_.high[0] * read_by(part, axis, 0, count);
      for (std::size_t n = 1; n < filters_.low.size(); ++n) {
        low = low + filters_.low[n] * read_by(part, axis, n, count);
        high = high + filters_.high[n] * read_by(part, axis, n, count);
      }
      part = at::cat({low, high}, axis);
    }
    return part;
  }
  Tensor do_apply_adjoint(const Tensor& v) const override {
    Tensor part = v;
    for (std::int64_t axis = v.dim(); axis-- > 2;) {
      const std::int64_t count = part.size(axis) / 2;
      const Tensor low = part.narrow(axis, 0, count);
      const Tensor high = part.narrow(axis, count, count);
      Extents shape = part.sizes().vec();
      shape[static_cast<std::size_t>(axis)] += beyond();
      Tensor window = at::zeros(shape, v.options());
      for (std::size_t n = 0; n < filters_.low.size(); ++n) {
        read_by(window, axis, n, count).add_(filters_.low[n] * low + filters_.high[n] * high);
      }
      part = window;
    }
    return part;
  }

  WaveletFilters filters_;
};

}  // namespace detail

/// WaveletPrior on images that ranks share out, the same to rounding: every level splits each box
/// by itself, after one exchange of order - 1 pixels around it (none for Haar), and is put together
/// again with another.
class ShardedWaveletPrior : public Prior {
 public:
  /// All boxes must be at multiples of 2^levels, and with them the extents, else
  /// error::InvalidArgument, which names an alignment; so also for a null space.
  inline ShardedWaveletPrior(const WaveletPrior& prior, const BoxSpacePtr& space);

  std::string name() const override { return "sharded(wavelet_prior)"; }
  bool is_convex() const override { return true; }
  /// Collective. g of the whole image, all images of the batch together, in float64.
  inline std::optional<double> value(const Tensor& x) const override;
  Communicator& communicator() const override { return levels_.front().communicator(); }
  const ImageSpace& space() const override { return levels_.front().space(); }

 private:
  /// Collective.
  inline Tensor do_prox(const Tensor& z, double step) const override;
  /// Approximation and details of each level; of all but the last, the approximation is split on.
  inline TensorList coefficients(const Tensor& x) const;
  /// The approximation among the coefficients of a level; shares their memory.
  static Tensor approximation(Tensor part) {
    for (std::int64_t axis = 2; axis < part.dim(); ++axis) {
      part = part.narrow(axis, 0, part.size(axis) / 2);
    }
    return part;
  }

  L1Prior size_;
  std::vector<BoxedOperator> levels_;
};

inline ShardedWaveletPrior::ShardedWaveletPrior(const WaveletPrior& prior, const BoxSpacePtr& space)
    : size_(prior.weight()) {
  if (!space) throw error::InvalidArgument(name() + ": the space is null");
  const WaveletOptions& options = prior.transform().options();
  const std::int64_t multiple = std::int64_t{1} << options.levels;
  for (const Box& box : space->boxes()) {
    for (const Interval along : box.axes) {
      if (along.begin % multiple == 0 && along.end % multiple == 0) continue;
      throw error::InvalidArgument(formatted(
          "{}: the box {} of an image of {} is not at multiples of {}, those of {} "
          "levels; give the space that alignment, BoxSpaceOptions::alignment = {}, and "
          "images of such extents, or take fewer levels",
          name(), to_string(box), to_string(space->extents()), multiple, options.levels, multiple));
    }
  }
  const auto split = std::make_shared<detail::WaveletSplit>(options.order);
  const Extents beyond(space->extents().size(), options.order - 1);
  BoxSpacePtr of_level = space;
  for (int level = 0; level < options.levels; ++level) {
    levels_.emplace_back(of_level, split, Halo{beyond, beyond}, Padding::circular);
    Extents extents = of_level->extents();
    for (std::int64_t& extent : extents) extent /= 2;
    std::vector<Box> boxes = of_level->boxes();
    for (Box& box : boxes) {
      for (Interval& along : box.axes) along = {along.begin / 2, along.end / 2};
    }
    of_level = std::make_shared<BoxSpace>(*space, std::move(extents), std::move(boxes));
  }
}

inline TensorList ShardedWaveletPrior::coefficients(const Tensor& x) const {
  TensorList parts;
  for (const BoxedOperator& level : levels_) {
    parts.push_back(
        level.forward(parts.empty() ? x : approximation(parts.back()).contiguous()).front());
  }
  return parts;
}

inline std::optional<double> ShardedWaveletPrior::value(const Tensor& x) const {
  double details = 0;
  for (const Tensor& part : coefficients(x)) {
    details += *size_.value(part) - *size_.value(approximation(part));
  }
  return levels_.front().sum(details);
}

inline Tensor ShardedWaveletPrior::do_prox(const Tensor& z, double step) const {
  const TensorList parts = coefficients(z);
  Tensor image = approximation(parts.back());
  for (std::size_t level = levels_.size(); level-- > 0;) {
    Tensor shrunk = size_.prox(parts[level], step);
    approximation(shrunk).copy_(image);
    image = levels_[level].adjoint({shrunk});
  }
  return image;
}

}  // namespace tessera
