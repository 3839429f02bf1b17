// SPDX-License-Identifier: BSD-3-Clause
#include "restoration/photograph.hpp"

#include <ATen/ops/_upsample_bicubic2d_aa.h>
#include <ATen/ops/upsample_bicubic2d.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "tessera/core/error.hpp"
#include "tessera/io/intensities.hpp"

namespace restoration {

using tessera::Tensor;

Photograph read_photograph(const std::string& who, const std::string& path,
                           std::optional<std::int64_t> page) {
  tessera::ImageReadOptions reading;
  reading.page = page;
  tessera::ImageInfo info;
  Photograph source{.image = tessera::read_image(path, reading, &info)};
  check_channels(who, source.image.size(1));
  if (info.samples != tessera::SampleType::u8) source.samples = tessera::SampleType::u16;
  const std::string of_range = tessera::check_intensities(who, source.image.squeeze(0));
  source.warnings = photograph_warnings(who, of_range, info);
  return source;
}

void check_channels(const std::string& who, std::int64_t channels) {
  if (channels == 1 || channels == 3) return;
  throw tessera::error::ShapeMismatch(
      fmt::format("{}: has {} channels, expected 1 or 3", who, channels));
}

std::vector<std::string> photograph_warnings(const std::string& who, const std::string& of_range,
                                             const tessera::ImageInfo& info) {
  std::vector<std::string> warnings;
  if (!of_range.empty()) warnings.push_back(of_range);
  for (const std::string& note : tessera::image_notes(info)) {
    const bool is_about_pages = note.starts_with("holds ");
    if (is_about_pages || of_range.empty()) {
      warnings.push_back(fmt::format("{}: {}", who, note));
    }
  }
  return warnings;
}

std::vector<std::int64_t> scaled_extents(std::int64_t height, std::int64_t width,
                                         std::int64_t size) {
  const std::int64_t larger = std::max(height, width);
  const auto extent = [&](std::int64_t n) {
    return std::max<std::int64_t>(1,
                                  std::llround(static_cast<double>(n) * static_cast<double>(size) /
                                               static_cast<double>(larger)));
  };
  return {height == larger ? size : extent(height), width == larger ? size : extent(width)};
}

Tensor scaled(const Tensor& image, std::int64_t height, std::int64_t width) {
  if (image.size(2) == height && image.size(3) == width) return image;
  const std::vector<std::int64_t> shape = {height, width};
  const Tensor result = height < image.size(2) || width < image.size(3)
                            ? at::_upsample_bicubic2d_aa(image, shape, false)
                            : at::upsample_bicubic2d(image, shape, false);
  return result.clamp(0, 1);
}

}  // namespace restoration
