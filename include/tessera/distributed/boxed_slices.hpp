// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "tessera/comm/agreement.hpp"
#include "tessera/core/error.hpp"
#include "tessera/core/text.hpp"
#include "tessera/distributed/box_space.hpp"
#include "tessera/physics/element_numbers.hpp"
#include "tessera/physics/linear_operator.hpp"
#include "tessera/physics/noise.hpp"

namespace tessera {

/// An operator of two dimensions on each slice of volumes that ranks share out in slabs, such as a
/// scan by parallel rays: (B, C, D, H, W) to (B, C, D, ...), of which a rank has its slices.
/// Nothing communicates. Not differentiable.
class BoxedSlices : public LinearPhysics {
 public:
  /// `slice` takes (N, C, H, W) and gives (N, C, ...), and treats images of a batch alike, as
  /// Tomography does. Throws error::InvalidArgument unless images have three dimensions, each slice
  /// of which is on one rank: BoxSpaceOptions::grid = {ranks, 1, 1}.
  BoxedSlices(BoxSpacePtr space, std::shared_ptr<const LinearOperator> slice);

  std::string name() const override { return formatted("slices({})", slice_->name()); }
  Communicator& communicator() const override { return space_->communicator(); }
  const ImageSpace& space() const override { return *space_; }

  /// This rank's box of the measurement of which `own` is this rank's part, and the extents of the
  /// whole of it.
  Box measured_box(const Tensor& own) const;
  Extents measured_extents(const Tensor& own) const;

  /// Noise that measure() adds: the part of what it adds to the whole measurement, to the bit.
  void set_noise(NoisePtr noise) { noise_ = std::move(noise); }

 private:
  /// Slices as images of a batch, and back; views where there is one channel.
  static Tensor as_batch(const Tensor& volume) {
    return volume.transpose(1, 2).flatten(0, 1).contiguous();
  }
  static Tensor as_volume(const Tensor& slices, std::int64_t batch) {
    return slices.unflatten(0, {batch, -1}).transpose(1, 2).contiguous();
  }

  TensorList do_forward(const Tensor& x) const override {
    return {fail_together(communicator(), formatted("{}.forward", name()), [&] {
      space_->check_own(x, name().c_str());
      return as_volume(slice_->apply(as_batch(x)), x.size(0));
    })};
  }
  TensorList do_measure(const Tensor& x) const override {
    const Tensor y = do_forward(x).front();
    if (!noise_) return {y};
    return {noise_->add(y, ElementNumbers(y.sizes(), measured_box(y), measured_extents(y)))};
  }
  Tensor do_adjoint(const TensorList& v) const override {
    return fail_together(communicator(), formatted("{}.adjoint", name()), [&] {
      return as_volume(slice_->apply_adjoint(as_batch(v.front())), v.front().size(0));
    });
  }

  BoxSpacePtr space_;
  std::shared_ptr<const LinearOperator> slice_;
  NoisePtr noise_;
};

inline BoxedSlices::BoxedSlices(BoxSpacePtr space, std::shared_ptr<const LinearOperator> slice)
    : space_(std::move(space)), slice_(std::move(slice)) {
  if (!space_ || !slice_) {
    throw error::InvalidArgument("boxed_slices: the space or the operator is null");
  }
  const Extents& grid = space_->grid();
  if (grid.size() == 3 && grid[1] == 1 && grid[2] == 1) return;
  throw error::InvalidArgument(formatted(
      "{}: images of {} are cut by a grid of {}, expected three dimensions, cut along the "
      "first alone: BoxSpaceOptions::grid = {{{}, 1, 1}}",
      name(), to_string(space_->extents()), to_string(grid), communicator().size()));
}

inline Box BoxedSlices::measured_box(const Tensor& own) const {
  Box box = whole_box(own.sizes().slice(2));
  box.axes.front() = space_->local().axes.front();
  return box;
}

inline Extents BoxedSlices::measured_extents(const Tensor& own) const {
  Extents extents = own.sizes().slice(2).vec();
  extents.front() = space_->extents().front();
  return extents;
}

}  // namespace tessera
