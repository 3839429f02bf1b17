// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tessera/core/tensor.hpp"
#include "tessera/io/image.hpp"

namespace restoration {

/// A picture to begin with.
struct Photograph {
  tessera::Tensor image = {};              ///< (1, C, H, W)
  std::vector<std::string> warnings = {};  ///< about intensities and other pictures in the file
  /// Of the pictures to write: 16 bits if the photograph has more than 8.
  tessera::SampleType samples = tessera::SampleType::u8;
  bool is_shape = false;  ///< `image` has the shape alone, and takes no memory
};

/// Reads a picture of 1 or 3 channels; `page`: of a file that holds several, from 1. Throws for
/// values that are not finite or on another scale than 0 to 1 (tessera::check_intensities). `who`
/// begins all messages.
Photograph read_photograph(const std::string& who, const std::string& path,
                           std::optional<std::int64_t> page);

/// Throws error::ShapeMismatch, beginning with `who`, unless a photograph has 1 or 3 channels.
void check_channels(const std::string& who, std::int64_t channels);

/// What to tell of a photograph: `of_range`, about its intensities, if that says something, and
/// what else was in the file.
std::vector<std::string> photograph_warnings(const std::string& who, const std::string& of_range,
                                             const tessera::ImageInfo& info);

/// The extents of an image whose larger side becomes `size`, exactly.
std::vector<std::int64_t> scaled_extents(std::int64_t height, std::int64_t width,
                                         std::int64_t size);

/// A (1, C, H, W) image at other extents, clamped to 0 to 1: bicubic, antialiased where it shrinks.
tessera::Tensor scaled(const tessera::Tensor& image, std::int64_t height, std::int64_t width);

}  // namespace restoration
