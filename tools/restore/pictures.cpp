// SPDX-License-Identifier: BSD-3-Clause
#include "restore/pictures.hpp"

#include <ATen/ops/clamp.h>
#include <ATen/ops/round.h>
#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <filesystem>
#include <initializer_list>
#include <string_view>
#include <utility>

#include "tessera/core/error.hpp"
#include "tessera/io/image.hpp"
#include "tessera/io/npy.hpp"
#include "tessera/io/tiff_stack.hpp"
#ifdef TESSERA_RESTORE_FITS
#include "tessera/io/fits.hpp"
#endif

namespace restore {

using namespace tessera;

namespace {

constexpr double white_of_bytes = 255;
constexpr double white_of_words = 65535;

enum class Format { picture, npy, fits };

std::string ending_of(const std::string& path) {
  std::string ending = std::filesystem::path(path).extension().string();
  for (char& c : ending) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return ending;
}

bool is_one_of(const std::string& ending, std::initializer_list<std::string_view> known) {
  return std::find(known.begin(), known.end(), ending) != known.end();
}

Format format_of(const std::string& path) {
  const std::string ending = ending_of(path);
  if (ending == ".npy") return Format::npy;
  return is_one_of(ending, {".fits", ".fit", ".fts"}) ? Format::fits : Format::picture;
}

/// (H, W) or (C, H, W) as (1, C, H, W).
Tensor as_image(const std::string& path, const Tensor& array) {
  if ((array.dim() != 2 && array.dim() != 3) || array.numel() == 0) {
    throw error::ShapeMismatch(
        fmt::format("{}: holds {}, expected (H, W) or (C, H, W)", path, to_string(array.sizes())));
  }
  constexpr std::int64_t most_colours = 4;
  if (array.dim() == 3 && array.size(2) <= most_colours && array.size(0) > most_colours) {
    throw error::ShapeMismatch(fmt::format(
        "{}: holds {}, which looks like (H, W, C), expected (C, H, W); numpy.moveaxis(a, -1, 0) "
        "makes it of the other",
        path, to_string(array.sizes())));
  }
  return array.dim() == 2 ? array.unsqueeze(0).unsqueeze(0) : array.unsqueeze(0);
}

/// Values of an array, in the narrower of float32 and float64 that holds its type.
Picture of_array(const std::string& path, const Tensor& array) {
  if (array.is_complex()) {
    throw error::InvalidArgument(
        fmt::format("{}: holds complex numbers, expected real ones", path));
  }
  Picture picture;
  const at::ScalarType type = array.scalar_type();
  const bool is_wide = type == at::kDouble || type == at::kInt || type == at::kLong;
  picture.samples = is_wide ? Samples::f64 : Samples::f32;
  if (type == at::kByte || type == at::kBool) {
    picture.samples = Samples::u8;
    picture.white = type == at::kBool ? 1 : white_of_bytes;
  }
  picture.values = as_image(path, array).to(is_wide ? at::kDouble : at::kFloat).contiguous();
  return picture;
}

/// Pages of a TIFF file that read_image does not know: integers of 32 bits, floating of 64.
Picture of_stack(const std::string& path) {
  const TiffStack stack = read_tiff_stack(path);
  if (stack.values.size(0) != 1 || stack.values.size(2) != 1) {
    throw error::InvalidArgument(
        fmt::format("{}: holds a stack {} (frames, channels, planes, rows, "
                    "columns), expected one picture",
                    path, to_string(stack.values.sizes())));
  }
  Picture picture = of_array(path, stack.values.squeeze(2).squeeze(0));
  if (stack.stored == at::kFloat) picture.samples = Samples::f32;
  return picture;
}

Picture of_picture_file(const std::string& path, std::optional<std::int64_t> page) {
  ImageReadOptions reading;
  reading.page = page;
  ImageInfo info;
  Picture picture;
  try {
    picture.values = read_image(path, reading, &info);
  } catch (const error::Io&) {
    if (page || !is_one_of(ending_of(path), {".tif", ".tiff"})) throw;
    const auto first = std::current_exception();
    try {
      return of_stack(path);
    } catch (const error::Io&) {
      std::rethrow_exception(first);
    }
  }
  if (info.samples == SampleType::f32) {
    picture.samples = Samples::f32;
    return picture;
  }
  picture.samples = info.samples == SampleType::u8 ? Samples::u8 : Samples::u16;
  picture.white = info.samples == SampleType::u8 ? white_of_bytes : white_of_words;
  picture.values = at::round(picture.values * *picture.white);
  return picture;
}

#ifndef TESSERA_RESTORE_FITS
[[noreturn]] void throw_without_fits(const std::string& path) {
  throw error::InvalidArgument(
      fmt::format("{}: this program was built without FITS (cfitsio)", path));
}
#endif

Picture of_fits(const std::string& path) {
#ifdef TESSERA_RESTORE_FITS
  FitsImage image = read_fits(path);
  Picture picture = of_array(path, image.values);
  picture.cards = std::move(image.cards);
  return picture;
#else
  throw_without_fits(path);
#endif
}

/// To the nearest integers that a file can hold.
Tensor as_integers(const Tensor& values, double white) {
  return at::round(at::clamp(values, 0, white));
}

}  // namespace

Picture read_picture(const std::string& path, std::optional<std::int64_t> page) {
  switch (format_of(path)) {
    case Format::npy:
      return of_array(path, read_npy(path));
    case Format::fits:
      return of_fits(path);
    case Format::picture:
      break;
  }
  return of_picture_file(path, page);
}

void check_output(const std::string& path, Samples samples, std::int64_t channels) {
  const auto refuse = [&](const std::string& what) {
    throw error::InvalidArgument(fmt::format("{}: {}", path, what));
  };
  const std::string ending = ending_of(path);
  const bool is_jpeg = is_one_of(ending, {".jpg", ".jpeg"});
  const bool is_tiff = is_one_of(ending, {".tif", ".tiff"});
  if (format_of(path) == Format::picture && ending != ".png" && !is_jpeg && !is_tiff) {
    refuse("expected a name that ends in .png, .jpg, .tif, .npy or .fits");
  }
#ifndef TESSERA_RESTORE_FITS
  if (format_of(path) == Format::fits) throw_without_fits(path);
#endif
  const std::string instead = "; give a name that ends in .tif, .npy or .fits";
  const bool is_floating = samples == Samples::f32 || samples == Samples::f64;
  if ((ending == ".png" && is_floating) || (is_jpeg && samples != Samples::u8)) {
    refuse(
        fmt::format("{} cannot hold {} samples, which the measurements have{}", ending,
                    settings::name_of(samples),
                    is_jpeg && !is_floating ? "; give a name that ends in .png or .tif" : instead));
  }
  if ((ending == ".png" || is_jpeg) && channels != 1 && channels != 3) {
    refuse(fmt::format("{} cannot hold {} channels{}", ending, channels, instead));
  }
  std::filesystem::path folder = std::filesystem::path(path).parent_path();
  if (folder.empty()) folder = ".";
  if (!std::filesystem::is_directory(folder)) {
    refuse(fmt::format("there is no folder {}", folder.string()));
  }
}

void write_picture(const std::string& path, const Tensor& values, Samples samples,
                   const std::vector<std::string>& cards) {
  const bool is_floating = samples == Samples::f32 || samples == Samples::f64;
  const double white = samples == Samples::u8 ? white_of_bytes : white_of_words;
  if (format_of(path) == Format::picture) {
    const SampleType type = is_floating              ? SampleType::f32
                            : samples == Samples::u8 ? SampleType::u8
                                                     : SampleType::u16;
    write_image(path, is_floating ? values : values / white, {.samples = type});
    return;
  }
  Tensor array = values.squeeze(0).to(samples == Samples::f64 ? at::kDouble : at::kFloat);
  if (array.size(0) == 1) array = array.squeeze(0);
  if (!is_floating) array = as_integers(array, white);
  if (samples == Samples::u8) array = array.to(at::kByte);
  if (format_of(path) == Format::npy) return write_npy(path, array);
#ifdef TESSERA_RESTORE_FITS
  write_fits(path, array, cards);
#else
  static_cast<void>(cards);
  throw_without_fits(path);
#endif
}

}  // namespace restore
