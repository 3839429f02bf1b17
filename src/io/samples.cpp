// SPDX-License-Identifier: BSD-3-Clause
#include "io/samples.hpp"

#include <ATen/ops/nan_to_num.h>
#include <fmt/format.h>

#include <algorithm>

#include "tessera/core/error.hpp"

namespace tessera::detail {

void check_pixels(std::int64_t width, std::int64_t height, std::int64_t most) {
  if (width < 1 || height < 1) {
    throw error::Io(fmt::format("declares an empty image of {} x {} pixels", width, height));
  }
  if (width > most / height) {
    throw error::Io(
        fmt::format("has {} x {} pixels, more than the {} that were allowed", width, height, most));
  }
}

void check_plausible(std::uint64_t raw_size, std::uint64_t file_size, std::uint64_t ratio) {
  if (raw_size / ratio > file_size) {
    throw error::Io(
        fmt::format("is truncated or damaged: it declares {} bytes of pixels, which {} bytes of "
                    "file cannot hold",
                    raw_size, file_size));
  }
}

Tensor image_from_samples(const Tensor& samples) {
  Tensor image = samples.permute({2, 0, 1}).unsqueeze(0).to(at::kFloat).contiguous();
  if (samples.scalar_type() == at::kByte) image.div_(255);
  if (samples.scalar_type() == at::kUInt16) image.div_(65535);
  return image;
}

Tensor samples_from_image(const Tensor& image, SampleType type) {
  const Tensor interleaved = image.permute({1, 2, 0}).contiguous();
  if (type == SampleType::f32) return interleaved.to(at::kFloat);
  const double full = type == SampleType::u8 ? 255 : 65535;
  const Tensor rounded =
      at::nan_to_num(interleaved.to(at::kDouble), 0.0).clamp(0, 1).mul_(full).round_();
  return rounded.to(type == SampleType::u8 ? at::kByte : at::kUInt16);
}

std::size_t choose_picture(const std::vector<Picture>& pictures, const ImageReadOptions& options,
                           ImageInfo& info) {
  info.pages = static_cast<std::int64_t>(pictures.size());
  info.page = options.page.value_or(1);
  if (info.page > info.pages) {
    throw error::Io(fmt::format(
        "holds {}, and page {} was asked for",
        info.pages == 1 ? "one picture" : fmt::format("{} pictures", info.pages), info.page));
  }
  if (options.page || info.pages == 1) return static_cast<std::size_t>(info.page - 1);

  const bool all_secondary = std::all_of(pictures.begin(), pictures.end(),
                                         [](const Picture& picture) { return picture.secondary; });
  const auto size = [&](const Picture& picture) {
    return picture.secondary && !all_secondary
               ? -1.0
               : static_cast<double>(picture.width) * static_cast<double>(picture.height);
  };
  const auto largest =
      std::max_element(pictures.begin(), pictures.end(),
                       [&](const Picture& a, const Picture& b) { return size(a) < size(b); });
  const auto equals = std::count_if(pictures.begin(), pictures.end(), [&](const Picture& picture) {
    return size(picture) == size(*largest);
  });
  if (equals > 1) {
    throw error::Io(
        fmt::format("holds {} pictures, {} of them with {} x {} pixels, expected one: choose it by "
                    "the option page, 1 to {}",
                    info.pages, equals, largest->width, largest->height, info.pages));
  }
  info.page = largest - pictures.begin() + 1;
  return static_cast<std::size_t>(largest - pictures.begin());
}

Tensor upright(const Tensor& image, int orientation) {
  constexpr int rows = 2, columns = 3;
  switch (orientation) {
    case 2:
      return image.flip({columns});
    case 3:
      return image.flip({rows, columns});
    case 4:
      return image.flip({rows});
    case 5:
      return image.transpose(rows, columns).contiguous();
    case 6:
      return image.transpose(rows, columns).flip({columns}).contiguous();
    case 7:
      return image.transpose(rows, columns).flip({rows, columns}).contiguous();
    case 8:
      return image.transpose(rows, columns).flip({rows}).contiguous();
    default:
      return image;
  }
}

}  // namespace tessera::detail
