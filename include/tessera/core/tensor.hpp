#pragma once

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

namespace tessera {

/// Images are (B, C, H, W) or (B, C, D, H, W): batch, channels, then two or three spatial
/// dimensions. Any floating dtype, any device.
using Tensor = at::Tensor;

/// One measurement per operator, in operator order.
using TensorList = std::vector<Tensor>;

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

}  // namespace tessera
