// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <c10/core/DeviceGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <cstdint>
#include <string>
#include <vector>

#include "tessera/core/error.hpp"
#include "tessera/core/text.hpp"

namespace tessera {

/// Images are (B, C, H, W) or (B, C, D, H, W): batch, channels, then two or three spatial
/// dimensions. Any floating dtype, any device.
using Tensor = at::Tensor;

/// One measurement per operator, in operator order.
using TensorList = std::vector<Tensor>;

/// Sizes along some dimensions.
using Extents = std::vector<std::int64_t>;

/// Shape as text: "[1, 3, 512, 500]".
std::string to_string(at::IntArrayRef shape);

/// Shape, dtype and device as text: "[1, 3, 512, 500] float32 on cpu"; "an undefined tensor" if it
/// is one.
std::string describe(const Tensor& tensor);

/// Number of spatial dimensions of an image: its dimensions after batch and channels.
std::int64_t spatial_dimensions(const Tensor& image);

/// Throws error::ShapeMismatch unless `image` is a floating (B, C, spatial...) tensor with 1 to 3
/// spatial dimensions and no empty dimension. `who` starts the message, e.g. "blur.forward: x".
void check_image(const Tensor& image, const std::string& who);

/// Throws error::ShapeMismatch unless both tensors have the same shape, dtype and device.
void check_like(const Tensor& given, const Tensor& expected, const std::string& who);

/// Waits until all work queued on the tensor's device is done; returns at once for host tensors.
/// Time stamps around device work are only meaningful after it.
void synchronize(const Tensor& tensor);

namespace detail {

inline std::string dtype_name(at::ScalarType type) {
  switch (type) {
    case at::kFloat:
      return "float32";
    case at::kDouble:
      return "float64";
    case at::kHalf:
      return "float16";
    case at::kBFloat16:
      return "bfloat16";
    case at::kComplexFloat:
      return "complex64";
    case at::kComplexDouble:
      return "complex128";
    default:
      return c10::toString(type);
  }
}

}  // namespace detail

inline std::string to_string(at::IntArrayRef shape) {
  return formatted("[{}]", joined(shape, ", "));
}

inline std::string describe(const Tensor& tensor) {
  if (!tensor.defined()) return "an undefined tensor";
  return formatted("{} {} on {}", to_string(tensor.sizes()),
                   detail::dtype_name(tensor.scalar_type()), tensor.device().str());
}

inline std::int64_t spatial_dimensions(const Tensor& image) {
  return image.dim() - 2;
}

inline void check_image(const Tensor& image, const std::string& who) {
  const bool ok = image.defined() && image.is_floating_point() && image.dim() >= 3 &&
                  image.dim() <= 5 && image.numel() > 0;
  if (!ok) {
    throw error::ShapeMismatch(
        formatted("{} is {}, expected a floating image (B, C, H, W) or (B, C, D, H, W) with no "
                  "empty dimension",
                  who, describe(image)));
  }
}

inline void check_like(const Tensor& given, const Tensor& expected, const std::string& who) {
  const bool ok = given.defined() && given.sizes() == expected.sizes() &&
                  given.scalar_type() == expected.scalar_type() &&
                  given.device() == expected.device();
  if (!ok) {
    throw error::ShapeMismatch(
        formatted("{} is {}, expected {}", who, describe(given), describe(expected)));
  }
}

inline void synchronize(const Tensor& tensor) {
  if (!tensor.defined() || tensor.device().is_cpu()) return;
  c10::impl::VirtualGuardImpl(tensor.device().type()).synchronizeDevice(tensor.device().index());
}

}  // namespace tessera
