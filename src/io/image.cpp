#include "tessera/io/image.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <string_view>

#include "io/guard.hpp"
#include "io/host.hpp"
#include "io/input_file.hpp"
#include "io/samples.hpp"
#include "tessera/core/error.hpp"
#include "tessera/io/atomic_file.hpp"

namespace tessera {

namespace {

Tensor decode(const std::string& bytes, const ImageReadOptions& options) {
  using namespace std::string_view_literals;
  if (bytes.starts_with("\x89PNG\r\n\x1a\n"sv)) return io::decode_png(bytes, options);
  if (bytes.starts_with("\xff\xd8\xff"sv)) return io::decode_jpeg(bytes, options);
  // Classic and big TIFF, little- and big-endian.
  for (const auto& magic : {"II*\0"sv, "MM\0*"sv, "II+\0"sv, "MM\0+"sv}) {
    if (bytes.starts_with(magic)) return io::decode_tiff(bytes, options);
  }
  throw error::Io("is not a PNG, JPEG or TIFF image");
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
  return jpeg ? io::encode_jpeg : tiff ? io::encode_tiff : io::encode_png;
}

/// The one picture of `image` as (C, H, W).
Tensor single_picture(const std::string& path, const Tensor& image) {
  Tensor picture = image;
  if (picture.defined() && picture.dim() == 4 && picture.size(0) == 1) picture = picture.squeeze(0);
  if (picture.defined() && picture.dim() == 2) picture = picture.unsqueeze(0);
  if (!picture.defined() || !picture.is_floating_point() || picture.dim() != 3 ||
      picture.numel() == 0 || (picture.size(0) != 1 && picture.size(0) != 3)) {
    throw error::ShapeMismatch(
        fmt::format("write_image: {}: the image is {}, expected a floating (1, C, H, W), (C, H, W) "
                    "or (H, W) tensor "
                    "with C = 1 or 3",
                    path, describe(image)));
  }
  return picture;
}

}  // namespace

Tensor read_image(const std::string& path, const ImageReadOptions& options) {
  return io::guarded("read_image", path, [&] {
    const io::InputFile file(path);
    return decode(file.read(0, file.size()), options);
  });
}

void write_image(const std::string& path, const Tensor& image, const ImageWriteOptions& options) {
  const Encoder encode = encoder_for(path, options);
  const Tensor picture = single_picture(path, image);
  const std::string bytes =
      io::guarded("write_image", path, [&] { return encode(io::host_copy(picture), options); });
  AtomicFile file(path);
  file.write(bytes);
  file.commit();
}

}  // namespace tessera
