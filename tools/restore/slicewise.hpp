// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "tessera/physics/linear_operator.hpp"

namespace restore {

/// An operator of pictures on each slice of a volume: x (B, C, D, H, W) -> y (B, C, D, ...), the
/// slices being a batch of it.
class Slicewise final : public tessera::LinearOperator {
 public:
  explicit Slicewise(std::shared_ptr<const tessera::LinearOperator> of_slice)
      : of_slice_(std::move(of_slice)) {}

  std::string name() const override { return of_slice_->name() + " of slices"; }

 private:
  tessera::Tensor do_apply(const tessera::Tensor& x) const override {
    return volume(of_slice_->apply(slices(x)), x);
  }
  tessera::Tensor do_apply_adjoint(const tessera::Tensor& v) const override {
    return volume(of_slice_->apply_adjoint(slices(v)), v);
  }

  static tessera::Tensor slices(const tessera::Tensor& volume) {
    return volume.transpose(1, 2).flatten(0, 1).contiguous();
  }
  /// Of as many volumes as `like` has.
  static tessera::Tensor volume(const tessera::Tensor& slices, const tessera::Tensor& like) {
    return slices.unflatten(0, {like.size(0), like.size(2)}).transpose(1, 2).contiguous();
  }

  std::shared_ptr<const tessera::LinearOperator> of_slice_;
};

}  // namespace restore
