// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/ops/zeros.h>

#include <cstddef>
#include <functional>
#include <string>

#include "tessera/core/tensor.hpp"
#include "tessera/core/text.hpp"

namespace tessera {

/// What tensors have in common that are treated alike: shape, dtype and device. A key for what is
/// computed once for all of them.
struct ImageSpec {
  Extents shape;
  at::ScalarType dtype = at::kFloat;
  at::Device device = at::kCPU;

  /// That of a defined tensor.
  static ImageSpec of(const Tensor& tensor) {
    return {tensor.sizes().vec(), tensor.scalar_type(), tensor.device()};
  }

  /// Zeros that take the memory of a single element: an image for functions that read nothing but
  /// its spec. Not to be written to.
  Tensor placeholder() const {
    return at::zeros({}, at::TensorOptions().dtype(dtype).device(device)).expand(shape);
  }

  bool operator==(const ImageSpec& other) const = default;
};

/// "[1, 3, 512, 500] float32 on cpu", as describe(tensor).
std::string describe(const ImageSpec& spec);

inline std::string describe(const ImageSpec& spec) {
  return formatted("{} {} on {}", to_string(spec.shape), detail::dtype_name(spec.dtype),
                   spec.device.str());
}

}  // namespace tessera

template <>
struct std::hash<tessera::ImageSpec> {
  std::size_t operator()(const tessera::ImageSpec& spec) const noexcept {
    std::size_t all = std::hash<at::Device>()(spec.device);
    const auto add = [&](std::int64_t number) {
      all ^= std::hash<std::int64_t>()(number) + 0x9e3779b97f4a7c15U + (all << 6U) + (all >> 2U);
    };
    add(static_cast<std::int64_t>(spec.dtype));
    for (const std::int64_t extent : spec.shape) add(extent);
    return all;
  }
};
