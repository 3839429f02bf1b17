// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/ops/abs.h>
#include <ATen/ops/median.h>
#include <ATen/ops/stack.h>

#include <cmath>

#include "tessera/core/check.hpp"
#include "tessera/core/error.hpp"
#include "tessera/core/tensor.hpp"
#include "tessera/core/text.hpp"

namespace tessera {

/// Estimates the standard deviation of white Gaussian noise in each image of a batch, shape (B),
/// float64, for denoisers that are to be told a level: the median of |differences along every
/// spatial axis at once|, which edges and shading hardly enter, over 0.6745 (Donoho and Johnstone,
/// Biometrika 81, 1994, on the finest Haar coefficients). Fine texture counts as noise. The median
/// is over all channels. Throws error::ShapeMismatch unless every extent is 2 or more.
inline Tensor estimate_noise(const Tensor& image) {
  check_image(image, "estimate_noise: image");
  Tensor difference = image.to(c10::promoteTypes(image.scalar_type(), at::kFloat));
  for (std::int64_t axis = 2; axis < image.dim(); ++axis) {
    const std::int64_t last = image.size(axis) - 1;
    if (last < 1) {
      throw error::ShapeMismatch(
          formatted("estimate_noise: image is {}, expected 2 pixels or more along every axis",
                    describe(image)));
    }
    difference =
        (difference.narrow(axis, 1, last) - difference.narrow(axis, 0, last)) / std::sqrt(2.0);
  }
  constexpr double median_of_normal = 0.67448975019608171;  // of |N(0, 1)|
  TensorList levels;
  for (std::int64_t i = 0; i < image.size(0); ++i) {
    levels.push_back(at::median(at::abs(difference[i])).to(at::kDouble) / median_of_normal);
  }
  return at::stack(levels);
}

}  // namespace tessera
