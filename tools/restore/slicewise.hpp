// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "tessera/physics/linear_operator.hpp"

namespace restore {

/// An operator of pictures that treats all channels alike, on each slice of a volume: x (B, C, D,
/// H, W) -> y (B, C, D, ...), the slices being channels of it.
class Slicewise final : public tessera::LinearOperator {
 public:
  explicit Slicewise(std::shared_ptr<const tessera::LinearOperator> of_slice)
      : of_slice_(std::move(of_slice)) {}

  std::string name() const override { return of_slice_->name() + " of slices"; }

 private:
  tessera::Tensor do_apply(const tessera::Tensor& x) const override {
    return of_slice_->apply(x.flatten(1, 2)).unflatten(1, {x.size(1), x.size(2)});
  }
  tessera::Tensor do_apply_adjoint(const tessera::Tensor& v) const override {
    return of_slice_->apply_adjoint(v.flatten(1, 2)).unflatten(1, {v.size(1), v.size(2)});
  }

  std::shared_ptr<const tessera::LinearOperator> of_slice_;
};

}  // namespace restore
