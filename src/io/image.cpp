// SPDX-License-Identifier: BSD-3-Clause
#include "tessera/io/image.hpp"

#include <ATen/ops/aminmax.h>
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cctype>
#include <cmath>
#include <filesystem>
#include <string_view>

#include "io/guard.hpp"
#include "io/host.hpp"
#include "io/input_file.hpp"
#include "io/samples.hpp"
#include "io/tiff_directories.hpp"
#include "io/window.hpp"
#include "tessera/core/error.hpp"
#include "tessera/io/atomic_file.hpp"

namespace tessera {

namespace {

std::string start_of(const detail::InputFile& file) {
  return file.read(0, std::min<std::uint64_t>(file.size(), 8));
}

/// The window that the options name, as the picture is to be turned.
Tensor decode(const detail::InputFile& file, const std::string& path,
              const ImageReadOptions& options, ImageInfo& info) {
  using namespace std::string_view_literals;
  const std::string start = start_of(file);
  const auto turned = [&](const Tensor& image) {
    return options.apply_orientation ? detail::upright(image, info.orientation) : image;
  };
  if (detail::is_tiff(start)) return turned(detail::decode_tiff(file, path, options, info));
  const bool is_png = start == "\x89PNG\r\n\x1a\n"sv;
  if (!is_png && !start.starts_with("\xff\xd8\xff"sv)) {
    throw error::Io("is not a PNG, JPEG or TIFF image");
  }
  const std::string bytes = file.read(0, file.size());
  const Tensor image = turned(is_png ? detail::decode_png(bytes, options, info)
                                     : detail::decode_jpeg(bytes, options, info));
  const Extents shape = image.sizes().vec();
  const Box window = detail::checked_window("read_image", path, options.window, shape);
  return part_of(image, whole_box(shape), window).contiguous();
}

void check_page(const std::string& path, const ImageReadOptions& options) {
  if (!options.page || *options.page >= 1) return;
  throw error::InvalidArgument(fmt::format(
      "read_image: {}: page is {}, expected 1 for the first picture", path, *options.page));
}

using Encoder = std::string (*)(const Tensor&, const ImageWriteOptions&);

Encoder encoder_for(const std::string& path, const ImageWriteOptions& options) {
  std::string ending = std::filesystem::path(path).extension().string();
  std::transform(ending.begin(), ending.end(), ending.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  const bool jpeg = ending == ".jpg" || ending == ".jpeg";
  const bool tiff = ending == ".tif" || ending == ".tiff";
  if (!jpeg && !tiff && ending != ".png") {
    throw error::InvalidArgument(fmt::format(
        "write_image: {}: the name ends in '{}', expected .png, .jpg, .jpeg, .tif or .tiff", path,
        ending));
  }
  if (jpeg && options.samples != SampleType::u8) {
    throw error::InvalidArgument(
        fmt::format("write_image: {}: JPEG holds 8-bit samples only; write .png or .tiff", path));
  }
  if (!tiff && options.samples == SampleType::f32) {
    throw error::InvalidArgument(
        fmt::format("write_image: {}: only TIFF holds floating samples; write .tiff", path));
  }
  if (jpeg && (options.jpeg_quality < 1 || options.jpeg_quality > 100)) {
    throw error::InvalidArgument(fmt::format(
        "write_image: {}: jpeg_quality is {}, expected 1 to 100", path, options.jpeg_quality));
  }
  return jpeg ? detail::encode_jpeg : tiff ? detail::encode_tiff : detail::encode_png;
}

/// The one picture of `image` as (C, H, W).
Tensor single_picture(const std::string& path, const Tensor& image, bool any_channels) {
  Tensor picture = image;
  if (picture.defined() && picture.dim() == 4 && picture.size(0) == 1) picture = picture.squeeze(0);
  if (picture.defined() && picture.dim() == 2) picture = picture.unsqueeze(0);
  const bool ok = picture.defined() && picture.is_floating_point() && picture.dim() == 3 &&
                  picture.numel() > 0 &&
                  (any_channels ? picture.size(0) <= detail::most_channels
                                : picture.size(0) == 1 || picture.size(0) == 3);
  if (ok) return picture;
  throw error::ShapeMismatch(fmt::format(
      "write_image: {}: the image is {}, expected a floating (1, C, H, W), (C, H, W) or (H, W) "
      "tensor with C = {}",
      path, describe(image),
      any_channels ? fmt::format("1 to {}", detail::most_channels)
                   : std::string("1 or 3 (TIFF files hold others too)")));
}

}  // namespace

Tensor read_image(const std::string& path, const ImageReadOptions& options, ImageInfo* info) {
  check_page(path, options);
  return detail::in_file("read_image", path, [&] {
    const detail::InputFile file(path);
    ImageInfo found;
    const Tensor image = decode(file, path, options, found);
    if (info != nullptr) {
      const auto [smallest, largest] = at::aminmax(image);
      found.smallest = smallest.item<double>();
      found.largest = largest.item<double>();
      *info = found;
    }
    return image;
  });
}

Extents read_tiff_shape(const std::string& path, const ImageReadOptions& options, ImageInfo* info) {
  check_page(path, options);
  return detail::in_file("read_tiff_shape", path, [&] {
    const detail::InputFile file(path);
    if (!detail::is_tiff(start_of(file))) return Extents();
    ImageInfo found;
    const Extents shape = detail::tiff_shape(file, options, found);
    if (info != nullptr) *info = found;
    return shape;
  });
}

std::vector<std::string> image_notes(const ImageInfo& info) {
  std::vector<std::string> notes;
  if (info.pages > 1) {
    notes.push_back(
        fmt::format("holds {} pictures, of which number {} is taken", info.pages, info.page));
  }
  if (info.samples == SampleType::u16 && info.largest > 0) {
    const auto value = static_cast<unsigned>(std::lround(info.largest * 65535));
    constexpr int few = 14;
    if (const int used = std::bit_width(value); used <= few) {
      notes.push_back(fmt::format("has {} bits in 16-bit samples, its largest value is {:.4g} of 1",
                                  used, info.largest));
    }
  }
  if (info.samples == SampleType::f32) {
    if (!std::isfinite(info.smallest) || !std::isfinite(info.largest)) {
      notes.emplace_back("holds values that are not finite");
    } else if (info.smallest < 0 || info.largest > 1) {
      notes.push_back(
          fmt::format("has values from {:.4g} to {:.4g}, intensities lie between 0 and 1",
                      info.smallest, info.largest));
    }
  }
  return notes;
}

void write_image(const std::string& path, const Tensor& image, const ImageWriteOptions& options) {
  const Encoder encode = encoder_for(path, options);
  const Tensor picture = single_picture(path, image, encode == detail::encode_tiff);
  const std::string bytes = detail::in_file(
      "write_image", path, [&] { return encode(detail::host_copy(picture), options); });
  AtomicFile file(path);
  file.write(bytes);
  file.commit();
}

}  // namespace tessera
