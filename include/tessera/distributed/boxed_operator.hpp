// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tessera/core/error.hpp"
#include "tessera/core/text.hpp"
#include "tessera/distributed/box_space.hpp"
#include "tessera/physics/blur.hpp"
#include "tessera/physics/element_numbers.hpp"
#include "tessera/physics/linear_operator.hpp"
#include "tessera/physics/noise.hpp"

namespace tessera {

/// An operator of bounded support on images that ranks share out: each rank applies `part` to its
/// box with a halo, and keeps its own part of the measurement. Exact, adjoint included: what `part`
/// makes of a window is what it makes of that window in the whole image.
///
/// forward, adjoint and everything made of them are collective over the ranks of the space: one
/// exchange of the halo each, none without a halo. Not differentiable. Several on one image
/// exchange once as a BoxedStack.
class BoxedOperator : public LinearPhysics {
 public:
  /// `part` sees `halo` beyond a pixel, and takes nothing else of the border: a blur with valid
  /// padding, a mask of this rank's box. `padding`: what the image continues with. `factor`: `part`
  /// gives every factor-th pixel; then the padding is not valid, all boxes are at multiples of the
  /// factor, and so are the extents, else error::InvalidArgument, which names an alignment.
  BoxedOperator(BoxSpacePtr space, std::shared_ptr<const LinearOperator> part, Halo halo,
                Padding padding, std::int64_t factor = 1);

  std::string name() const override { return formatted("boxed({})", part_->name()); }
  Communicator& communicator() const override { return space_->communicator(); }
  const ImageSpace& space() const override { return *space_; }
  const BoxSpace& boxes() const { return *space_; }
  const Halo& halo() const { return halo_; }
  Padding padding() const { return padding_; }

  /// This rank's box of the measurement, and the extents of the whole of it.
  Box measured_box() const;
  Extents measured_extents() const;
  /// Local. Where measurements live: those extents, in the boxes of all ranks.
  BoxSpacePtr measured_space() const;

  /// Noise that measure() adds: the part of what it adds to the whole measurement, to the bit, for
  /// every number of ranks and all cuts.
  void set_noise(NoisePtr noise) { noise_ = std::move(noise); }
  /// `measurement`, this rank's, with that noise. Local.
  Tensor with_noise(const Tensor& measurement) const;

  /// ||A||^2 of the whole operator, where it is known: else it is estimated. The same on all ranks.
  void set_norm_squared(double norm_squared) { norm_squared_ = norm_squared; }

  /// Local. Of this rank's window, its box with the halo: its measurement, and the transpose.
  Tensor of_window(const Tensor& window) const { return part_->apply(window); }
  Tensor adjoint_window(const Tensor& v) const { return part_->apply_adjoint(v); }

 private:
  /// `box` of the image as one of the measurement.
  Box measured(Box box) const;

  std::optional<double> do_norm_squared(const Tensor& /*x*/) const override {
    return norm_squared_;
  }
  TensorList do_forward(const Tensor& x) const override {
    const Tensor window = halo_.is_none() ? x : space_->with_halo(x, halo_, padding_);
    return {fail_together(communicator(), formatted("{}.forward", name()),
                          [&] { return of_window(window); })};
  }
  TensorList do_measure(const Tensor& x) const override {
    return {with_noise(do_forward(x).front())};
  }
  Tensor do_adjoint(const TensorList& v) const override {
    const Tensor window = fail_together(communicator(), formatted("{}.adjoint", name()),
                                        [&] { return adjoint_window(v.front()); });
    return halo_.is_none() ? window : space_->add_halo(window, halo_, padding_);
  }

  BoxSpacePtr space_;
  std::shared_ptr<const LinearOperator> part_;
  Halo halo_;
  Padding padding_;
  std::int64_t factor_;
  NoisePtr noise_;
  std::optional<double> norm_squared_;
};

using BoxedOperatorPtr = std::shared_ptr<const BoxedOperator>;

namespace detail {

/// What a kernel of these extents sees beyond a pixel.
inline Halo halo_of_kernel(at::IntArrayRef sizes) {
  Halo halo;
  for (const std::int64_t size : sizes) {
    halo.before.push_back(size - 1 - size / 2);  // convolution turns the kernel round
    halo.after.push_back(size / 2);
  }
  return halo;
}

}  // namespace detail

inline BoxedOperator::BoxedOperator(BoxSpacePtr space, std::shared_ptr<const LinearOperator> part,
                                    Halo halo, Padding padding, std::int64_t factor)
    : space_(std::move(space)),
      part_(std::move(part)),
      halo_(std::move(halo)),
      padding_(padding),
      factor_(factor) {
  if (!space_ || !part_) {
    throw error::InvalidArgument("boxed_operator: the space or the operator is null");
  }
  if (factor_ == 1) return;
  if (factor_ < 1 || padding_ == Padding::valid) {
    throw error::InvalidArgument(
        formatted("{}: every {}-th pixel with padding {}, expected a factor >= 1 and padding other "
                  "than valid",
                  name(), factor_, to_string(padding_)));
  }
  for (const std::int64_t extent : space_->extents()) {
    if (extent % factor_ == 0) continue;
    throw error::InvalidArgument(
        formatted("{}: the image's extents are {}, expected multiples of {}", name(),
                  to_string(space_->extents()), factor_));
  }
  for (const Box& box : space_->boxes()) {
    for (const Interval along : box.axes) {
      if (along.begin % factor_ == 0) continue;
      throw error::InvalidArgument(
          formatted("{}: the box {} is not at multiples of {}; give the space an alignment that is "
                    "one: BoxSpaceOptions::alignment = {}",
                    name(), to_string(box), factor_, factor_));
    }
  }
}

inline Box BoxedOperator::measured(Box box) const {
  for (std::size_t d = 0; d < box.axes.size(); ++d) {
    Interval& along = box.axes[d];
    if (padding_ == Padding::valid) {
      const std::int64_t before = halo_.before[d];
      const std::int64_t end = std::min(along.end, space_->extents()[d] - halo_.after[d]);
      along.begin = std::max(along.begin, before) - before;
      along.end = std::max(along.begin, end - before);
    }
    along = {along.begin / factor_, along.end / factor_};
  }
  return box;
}

inline Box BoxedOperator::measured_box() const {
  return measured(space_->local());
}

inline Extents BoxedOperator::measured_extents() const {
  return measured(whole_box(space_->extents())).extents();
}

inline BoxSpacePtr BoxedOperator::measured_space() const {
  std::vector<Box> boxes;
  for (const Box& box : space_->boxes()) boxes.push_back(measured(box));
  return std::make_shared<BoxSpace>(*space_, measured_extents(), std::move(boxes));
}

inline Tensor BoxedOperator::with_noise(const Tensor& measurement) const {
  if (!noise_) return measurement;
  return noise_->add(measurement,
                     ElementNumbers(measurement.sizes(), measured_box(), measured_extents()));
}

/// Blur(kernel, padding) on images that ranks share out; a rank's measurement is that of its box,
/// with valid padding the part whose kernel is centred there. The kernel's extents bound the halo.
inline std::shared_ptr<BoxedOperator> boxed_blur(BoxSpacePtr space, const Tensor& kernel,
                                                 Padding padding = Padding::circular) {
  return std::make_shared<BoxedOperator>(std::move(space),
                                         std::make_shared<Blur>(kernel, Padding::valid),
                                         detail::halo_of_kernel(kernel.sizes().slice(2)), padding);
}

}  // namespace tessera
