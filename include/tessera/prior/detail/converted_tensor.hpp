// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <utility>

#include "tessera/core/tensor.hpp"
#include "tessera/physics/spectrum_cache.hpp"

namespace tessera::detail {

/// A tensor of the host, in float64, for computations of other dtypes and on other devices:
/// converted once for each. Safe to use from several threads.
class ConvertedTensor {
 public:
  ConvertedTensor() = default;
  explicit ConvertedTensor(Tensor values) : values_(std::move(values)) {}

  const Tensor& values() const { return values_; }
  /// With the dtype and on the device of x.
  Tensor like(const Tensor& x) const {
    return versions_.get({{}, x.scalar_type(), x.device()}, [&] {
      return values_.to(x.options(), /*non_blocking=*/false, /*copy=*/true);
    });
  }

 private:
  Tensor values_;
  mutable SpectrumCache<Tensor> versions_;
};

}  // namespace tessera::detail
