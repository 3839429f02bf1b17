// SPDX-License-Identifier: BSD-3-Clause
#include "photographs.hpp"

#include <ATen/ops/_upsample_bicubic2d_aa.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/rand.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <optional>

#include "tessera/core/error.hpp"
#include "tessera/io/image.hpp"

using tessera::Tensor;
namespace fs = std::filesystem;

namespace {

constexpr std::array scales{0.6, 0.42, 0.3, 0.21};

std::vector<std::string> pictures_in(const std::vector<std::string>& paths) {
  std::vector<std::string> files;
  for (const std::string& path : paths) {
    if (!fs::is_directory(path)) {
      files.push_back(path);
      continue;
    }
    for (const fs::directory_entry& entry : fs::directory_iterator(path)) {
      std::string ending = entry.path().extension().string();
      std::transform(ending.begin(), ending.end(), ending.begin(),
                     [](unsigned char letter) { return static_cast<char>(std::tolower(letter)); });
      constexpr std::array endings{".png", ".jpg", ".jpeg", ".tif", ".tiff"};
      if (std::find(endings.begin(), endings.end(), ending) != endings.end()) {
        files.push_back(entry.path().string());
      }
    }
  }
  std::sort(files.begin(), files.end());
  if (files.empty()) {
    throw tessera::error::InvalidArgument("--photographs: no .png, .jpg or .tif file there");
  }
  return files;
}

Tensor reduced(const Tensor& image, double scale) {
  const auto extent = [scale](std::int64_t size) {
    return std::max<std::int64_t>(1, std::lround(static_cast<double>(size) * scale));
  };
  const std::vector<std::int64_t> size{extent(image.size(2)), extent(image.size(3))};
  const Tensor small = at::_upsample_bicubic2d_aa(image, size, false);
  return (small.squeeze(0) * 255).round().clamp(0, 255).to(at::kByte).contiguous();
}

/// Mean absolute difference of horizontal neighbours.
double mean_slope(const Tensor& crop) {
  const Tensor values = crop.select(0, 1).to(at::kShort);
  const std::int64_t width = values.size(1);
  return (values.narrow(1, 1, width - 1) - values.narrow(1, 0, width - 1))
      .abs()
      .to(at::kFloat)
      .mean()
      .item<double>();
}

std::int64_t place(double uniform, std::int64_t count) {
  return std::min(static_cast<std::int64_t>(uniform * static_cast<double>(count)), count - 1);
}

}  // namespace

Tensor grey(const Tensor& colour) {
  return 0.299 * colour.narrow(1, 0, 1) + 0.587 * colour.narrow(1, 1, 1) +
         0.114 * colour.narrow(1, 2, 1);
}

Photographs::Photographs(const std::vector<std::string>& paths, std::int64_t crop) : crop_(crop) {
  double places = 0;
  for (const std::string& file : pictures_in(paths)) {
    Tensor image = tessera::read_image(file);
    if (image.size(1) == 1) image = image.expand({1, 3, image.size(2), image.size(3)});
    const double before = places;
    for (const double scale : scales) {
      Tensor picture = reduced(image, scale);
      const std::int64_t height = picture.size(1);
      const std::int64_t width = picture.size(2);
      if (std::min(height, width) < crop) continue;
      // The square root: large photographs count for more than small ones, but not in proportion.
      places += std::sqrt(static_cast<double>((height - crop + 1) * (width - crop + 1)));
      pictures_.push_back(std::move(picture));
      shares_.push_back(places);
    }
    if (places == before) {
      throw tessera::error::InvalidArgument(
          fmt::format("{} is {} x {}: reduced to {} of that it is smaller than a crop of {} pixels",
                      file, image.size(3), image.size(2), scales.front(), crop));
    }
    ++count_;
  }
  for (double& share : shares_) share /= places;
}

double Photographs::megapixels() const {
  double pixels = 0;
  for (const Tensor& picture : pictures_) pixels += static_cast<double>(picture.numel()) / 3;
  return pixels / 1e6;
}

Tensor Photographs::draw(std::int64_t count, at::Generator& generator) const {
  const auto random_options = at::TensorOptions().dtype(at::kDouble);
  const Tensor uniform =
      at::rand({count, 7}, std::optional<at::Generator>(generator), random_options);
  const auto random = uniform.accessor<double, 2>();
  Tensor crops = at::empty({count, 3, crop_, crop_}, at::kFloat);
  for (std::int64_t index = 0; index < count; ++index) {
    const auto numbers = random[index];
    const auto found = std::upper_bound(shares_.begin(), shares_.end(), numbers[0]);
    const auto which = std::min<std::size_t>(static_cast<std::size_t>(found - shares_.begin()),
                                             pictures_.size() - 1);
    const Tensor& picture = pictures_[which];
    const auto window = [&](double vertical, double horizontal) {
      return picture.narrow(1, place(vertical, picture.size(1) - crop_ + 1), crop_)
          .narrow(2, place(horizontal, picture.size(2) - crop_ + 1), crop_);
    };
    Tensor chosen = window(numbers[1], numbers[2]);
    const Tensor other = window(numbers[3], numbers[4]);
    if (mean_slope(other) > mean_slope(chosen)) chosen = other;
    if (numbers[5] < 0.5) chosen = chosen.transpose(1, 2);
    const std::int64_t mirror = place(numbers[6], 4);
    if ((mirror & 1) != 0) chosen = chosen.flip(1);
    if ((mirror & 2) != 0) chosen = chosen.flip(2);
    crops.select(0, index).copy_(chosen);
  }
  return crops.div_(255);
}
