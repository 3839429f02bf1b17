// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "restoration/photograph.hpp"
#include "tessera/core/tensor.hpp"

namespace restoration {

/// An image from a .npy file of shape (3, H, W). Throws error::ShapeMismatch for another one,
/// error::InvalidArgument for values that are not finite or on another scale than 0 to 1.
Photograph read_image_array(const std::string& path);

/// Measurements from a .npy file.
struct Measurements {
  tessera::TensorList held;
  std::string warning;  ///< about their intensities; empty: none
};

/// What to say of measurements from `least` to `largest` that are taken to be clipped to [0, 1];
/// empty: they lie there, to rounding. `who` begins it.
std::string warning_if_unclipped(const std::string& who, double least, double largest);

/// Those of the operators `held` out of a file of `count` measurements like `like`, in that order.
/// All of the file is checked, so that every rank finds the same. `noise`: its standard deviation;
/// `clipped`: whether the method takes them to be clipped to [0, 1].
Measurements read_measurements(const std::string& path, std::int64_t count,
                               const std::vector<std::int64_t>& held, const tessera::Tensor& like,
                               double noise, bool clipped);

}  // namespace restoration
