// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "tessera/core/error.hpp"
#include "tessera/core/text.hpp"
#include "tessera/distributed/box_space.hpp"
#include "tessera/physics/blur.hpp"
#include "tessera/physics/linear_operator.hpp"

namespace tessera {

/// An operator of bounded support on images that ranks share out: each rank applies `part` to its
/// box with a halo, and keeps its own part of the measurement. Exact, adjoint included: what `part`
/// makes of a window is what it makes of that window in the whole image.
///
/// forward, adjoint and everything made of them are collective over the ranks of the space: one
/// exchange of the halo each. Not differentiable.
class BoxedOperator : public LinearPhysics {
 public:
  /// `part` sees `halo` beyond a pixel, and takes nothing else of the border: a blur with valid
  /// padding, a mask of this rank's box. `padding`: what the image continues with.
  BoxedOperator(BoxSpacePtr space, std::shared_ptr<const LinearOperator> part, Halo halo,
                Padding padding)
      : space_(std::move(space)),
        part_(std::move(part)),
        halo_(std::move(halo)),
        padding_(padding) {
    if (!space_ || !part_) {
      throw error::InvalidArgument("boxed_operator: the space or the operator is null");
    }
  }

  std::string name() const override { return formatted("boxed({})", part_->name()); }
  Communicator& communicator() const override { return space_->communicator(); }
  const ImageSpace& space() const override { return *space_; }
  const BoxSpace& boxes() const { return *space_; }

 private:
  TensorList do_forward(const Tensor& x) const override {
    return {part_->apply(space_->with_halo(x, halo_, padding_))};
  }
  Tensor do_adjoint(const TensorList& v) const override {
    const Tensor extended = fail_together(communicator(), formatted("{}.adjoint", name()),
                                          [&] { return part_->apply_adjoint(v.front()); });
    return space_->add_halo(extended, halo_, padding_);
  }

  BoxSpacePtr space_;
  std::shared_ptr<const LinearOperator> part_;
  Halo halo_;
  Padding padding_;
};

/// Blur(kernel, padding) on images that ranks share out; a rank's measurement is that of its box,
/// with valid padding the part whose kernel is centred there. The kernel's extents bound the halo.
inline std::shared_ptr<const BoxedOperator> boxed_blur(BoxSpacePtr space, const Tensor& kernel,
                                                       Padding padding = Padding::circular) {
  Halo halo;
  for (const std::int64_t size : kernel.sizes().slice(2)) {
    halo.before.push_back(size - 1 - size / 2);  // convolution turns the kernel round
    halo.after.push_back(size / 2);
  }
  return std::make_shared<BoxedOperator>(
      std::move(space), std::make_shared<Blur>(kernel, Padding::valid), std::move(halo), padding);
}

}  // namespace tessera
