// SPDX-License-Identifier: BSD-3-Clause
#include "restore/pictures.hpp"

#include <ATen/ops/empty.h>
#include <ATen/ops/round.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <exception>
#include <functional>
#include <utility>

#include "restore/file_format.hpp"
#include "tessera/core/error.hpp"
#include "tessera/io/image.hpp"
#include "tessera/io/npy.hpp"
#include "tessera/io/tiff_stack.hpp"
#ifdef TESSERA_RESTORE_FITS
#include "tessera/io/fits.hpp"
#endif
#ifdef TESSERA_RESTORE_HDF5
#include "tessera/io/hdf5.hpp"
#endif

namespace restore {

using namespace tessera;

namespace {

constexpr std::int64_t most_colours = 4;

/// An array of these axes as (1, C, H, W) or (1, C, D, H, W).
Tensor permuted(const std::string& path, const Tensor& array, const std::string& axes) {
  if (array.dim() != static_cast<std::int64_t>(axes.size())) {
    throw error::ShapeMismatch(fmt::format("{}: holds {}, expected {} axes, as axes: {} says", path,
                                           to_string(array.sizes()), axes.size(), axes));
  }
  Extents order;
  for (const char letter : {'c', 'z', 'y', 'x'}) {
    const std::size_t at = axes.find(letter);
    if (at != std::string::npos) order.push_back(static_cast<std::int64_t>(at));
  }
  const Tensor image = array.permute(order);
  return (axes.find('c') == std::string::npos ? image.unsqueeze(0) : image).unsqueeze(0);
}

/// The axes of an array that nobody named.
std::string axes_of(const std::string& path, at::IntArrayRef shape, std::int64_t spatial) {
  const auto refuse = [&](const std::string& what) {
    throw error::ShapeMismatch(fmt::format("{}: holds {}, {}", path, to_string(shape), what));
  };
  if (shape.size() == 2) return "yx";
  if (shape.size() == 3) {
    const bool ends_in_colours = shape[2] <= most_colours && shape[0] > most_colours;
    if (spatial != 3 && ends_in_colours) {
      refuse(
          "which looks like channels in the last axis: give axes: yxc, or zyx for slices; a "
          "kernel or mask as (C, H, W)");
    }
    if (spatial == 0 && shape[0] > 1 && shape[0] <= most_colours) {
      refuse(fmt::format("{0} channels or {0} slices: give axes: cyx or axes: zyx", shape[0]));
    }
    return spatial == 2 || (spatial == 0 && shape[0] == 1) ? "cyx" : "zyx";
  }
  if (shape.size() == 4 && spatial == 3) return "czyx";
  if (shape.size() == 4) refuse("expected axes: czyx, or what its axes are");
  refuse("expected (H, W), (C, H, W) or a volume (D, H, W)");
  return {};
}

Tensor as_image(const std::string& path, const Tensor& array, const PictureChoice& choice) {
  if (array.numel() == 0) {
    throw error::ShapeMismatch(
        fmt::format("{}: holds {}, expected values", path, to_string(array.sizes())));
  }
  if (choice.is_list) return array.reshape({1, -1});
  const Tensor image =
      permuted(path, array,
               choice.axes.empty() ? axes_of(path, array.sizes(), choice.spatial) : choice.axes);
  // A kernel within slices.
  return choice.spatial == 3 && image.dim() == 4 ? image.unsqueeze(2) : image;
}

/// Values of an array, of which the file has elements of the type `stored`, in the narrower of
/// float32 and float64 that holds them.
Picture of_array(const std::string& path, const Tensor& array, at::ScalarType stored,
                 const PictureChoice& choice) {
  if (array.is_complex() && !choice.is_complex) {
    throw error::InvalidArgument(
        fmt::format("{}: holds complex numbers, expected real ones", path));
  }
  Picture picture{.samples = samples_of(stored)};
  const at::ScalarType real = picture.samples == Samples::f64 ? at::kDouble : at::kFloat;
  if (picture.samples == Samples::u8 || picture.samples == Samples::u16) {
    picture.white = stored == at::kBool ? 1 : range_of(picture.samples).largest;
  }
  picture.values = as_image(path, array, choice)
                       .to(array.is_complex() ? c10::toComplexType(real) : real)
                       .contiguous();
  return picture;
}

/// The axes (T, C, D, H, W) of a stack that say something.
Extents axes_of_stack(const Extents& shape) {
  Extents axes;
  for (std::int64_t axis = 0; axis < 5; ++axis) {
    if (axis > 2 || shape[static_cast<std::size_t>(axis)] > 1) axes.push_back(axis);
  }
  return axes;
}

/// Pages, or a window of them, of which only those along one axis may be anything.
Picture of_pages(const std::string& path, const TiffStack& stack, const PictureChoice& choice) {
  const Extents& shape = stack.shape;
  Extents sizes;
  for (const std::int64_t axis : axes_of_stack(shape)) sizes.push_back(stack.values.size(axis));
  PictureChoice named = choice;
  if (choice.axes.empty() && shape[0] > 1) {
    throw error::InvalidArgument(fmt::format(
        "{}: holds {} frames: give page, or axes: zyx if they are slices", path, shape[0]));
  }
  if (choice.axes.empty()) {
    named.axes = std::string(shape[1] > 1 ? "c" : "") + (shape[2] > 1 ? "z" : "") + "yx";
  }
  Picture picture = of_array(path, stack.values.reshape(sizes), stack.stored, named);
  picture.voxel = stack.voxel;
  return picture;
}

Picture of_stack(const std::string& path, const PictureChoice& choice) {
  return of_pages(path, read_tiff_stack(path), choice);
}

/// The picture in a file, or the part of it that a window says.
Picture of_picture_file(const std::string& path, const PictureChoice& choice,
                        const Box& window = {}) {
  if (is_tiff(path) && (!choice.axes.empty() || choice.spatial == 3)) return of_stack(path, choice);
  ImageReadOptions reading;
  reading.page = choice.page;
  reading.window = window;
  ImageInfo info;
  Picture picture;
  try {
    picture.values = read_image(path, reading, &info);
  } catch (const error::Io&) {
    if (choice.page || !is_tiff(path)) throw;
    const auto first = std::current_exception();
    try {
      return of_stack(path, choice);
    } catch (const error::Io&) {
      std::rethrow_exception(first);
    }
  }
  if (info.samples == SampleType::f32) {
    picture.samples = Samples::f32;
    return picture;
  }
  picture.samples = info.samples == SampleType::u8 ? Samples::u8 : Samples::u16;
  picture.white = range_of(picture.samples).largest;
  picture.values = at::round(picture.values * *picture.white);
  return picture;
}

Picture of_fits(const std::string& path, const PictureChoice& choice) {
#ifdef TESSERA_RESTORE_FITS
  FitsImage image = read_fits(path);
  Picture picture = of_array(path, image.values, image.stored, choice);
  picture.cards = std::move(image.cards);
  return picture;
#else
  static_cast<void>(choice);
  throw_without_fits(path);
#endif
}

#ifdef TESSERA_RESTORE_HDF5
std::string dataset_of(const std::string& path, const PictureChoice& choice) {
  const std::string name = choice.dataset.substr(choice.dataset.starts_with('/') ? 1 : 0);
  if (!name.empty()) return name;
  const std::vector<Hdf5Dataset> all = list_hdf5(path);
  if (all.size() == 1) return all.front().name;
  std::string names;
  for (const Hdf5Dataset& each : all) names += (names.empty() ? "" : ", ") + each.name;
  throw error::InvalidArgument(
      fmt::format("{}: holds {} datasets ({}): give dataset, its name", path, all.size(), names));
}

#endif

Picture of_hdf5(const std::string& path, const PictureChoice& choice) {
#ifdef TESSERA_RESTORE_HDF5
  const std::string name = dataset_of(path, choice);
  const Tensor array = read_hdf5(path, name);
  Picture picture = of_array(path, array, array.scalar_type(), choice);
  picture.dataset = name;
  return picture;
#else
  static_cast<void>(choice);
  throw_without_hdf5(path);
#endif
}

/// A window of each axis of an array whose axes have these names; of channels, all.
Box window_of_axes(const Box& window, const Extents& shape, const std::string& axes) {
  Box whole = whole_box(shape);
  const std::string spatial = window.axes.size() == 3 ? "zyx" : "yx";
  for (std::size_t d = 0; d < axes.size(); ++d) {
    const std::size_t at = spatial.find(axes[d]);
    if (at != std::string::npos) whole.axes[d] = window.axes[at];
  }
  return whole;
}

/// An array in a file, of which windows can be read.
struct ArrayInFile {
  Extents shape = {};
  at::ScalarType type = at::kFloat;
  std::function<Tensor(const Box&)> read = {};
  std::string dataset = {};
};

ArrayInFile array_in(const std::string& path, const PictureChoice& choice) {
  static_cast<void>(choice);
  if (format_of(path) == Format::npy) {
    const NpyHeader header = read_npy_header(path);
    return {header.shape, header.type,
            [path](const Box& window) { return read_npy(path, window); }};
  }
  if (format_of(path) == Format::fits) {
#ifdef TESSERA_RESTORE_FITS
    const FitsHeader header = read_fits_header(path);
    return {header.shape, header.stored,
            [path](const Box& window) { return read_fits(path, {.window = window}).values; }};
#else
    throw_without_fits(path);
#endif
  }
#ifdef TESSERA_RESTORE_HDF5
  const std::string name = dataset_of(path, choice);
  const auto read = [path, name](const Box& window) {
    return read_hdf5(path, name, {.window = window});
  };
  for (const Hdf5Dataset& each : list_hdf5(path)) {
    if (each.name != name) continue;
    const Box first = whole_box(Extents(each.shape.size(), 1));
    return {each.shape, read(first).scalar_type(), read, name};
  }
  return {{}, at::kFloat, read};  // which says what is there
#else
  throw_without_hdf5(path);
#endif
}

/// The picture in a TIFF file, or the part of it that a window says.
Picture part_of_stack(const std::string& path, const PictureChoice& choice, const Box* window) {
  if (choice.page) {
    throw error::InvalidArgument(
        fmt::format("{}: page cannot be chosen with --distribute-image: give a file of one", path));
  }
  const Box first = whole_box(Extents(3, 1));
  TiffStack stack = read_tiff_stack(path, {.window = first});
  const Extents axes = axes_of_stack(stack.shape);
  if (window == nullptr) {
    stack.values = at::empty(stack.shape, stack.values.options().device(at::kMeta));
    return of_pages(path, stack, choice);
  }
  std::string names = choice.axes;
  if (names.empty()) {
    for (const std::int64_t axis : axes) names += "tczyx"[axis];
  }
  Extents shape;
  for (const std::int64_t axis : axes) shape.push_back(stack.shape[static_cast<std::size_t>(axis)]);
  const Box part = window_of_axes(*window, shape, names);
  Box all = whole_box(stack.shape);
  for (std::size_t d = 0; d < axes.size(); ++d) {
    all.axes[static_cast<std::size_t>(axes[d])] = part.axes[d];
  }
  return of_pages(path, read_tiff_stack(path, {.window = all}), choice);
}

}  // namespace

bool is_decoded_whole(const std::string& path) {
  return format_of(path) == Format::picture && !is_tiff(path);
}

Picture outline_of_picture(const std::string& path, const PictureChoice& choice) {
  if (is_tiff(path)) return part_of_stack(path, choice, nullptr);
  if (is_decoded_whole(path)) {
    Picture picture = of_picture_file(path, choice);
    picture.values = at::empty(picture.values.sizes(), picture.values.options().device(at::kMeta));
    return picture;
  }
  const ArrayInFile array = array_in(path, choice);
  return of_array(path, at::empty(array.shape, at::TensorOptions(at::kMeta).dtype(array.type)),
                  array.type, choice);
}

Picture read_window(const std::string& path, const PictureChoice& choice, const Box& window) {
  if (is_tiff(path)) return part_of_stack(path, choice, &window);
  if (is_decoded_whole(path)) return of_picture_file(path, choice, window);
  const ArrayInFile array = array_in(path, choice);
  PictureChoice named = choice;
  if (choice.axes.empty()) named.axes = axes_of(path, array.shape, choice.spatial);
  Picture picture = of_array(path, array.read(window_of_axes(window, array.shape, named.axes)),
                             array.type, named);
  picture.dataset = array.dataset;
  return picture;
}

Picture read_picture(const std::string& path, const PictureChoice& choice) {
  const Format format = format_of(path);
  if (!choice.dataset.empty() && format != Format::hdf5) {
    throw error::InvalidArgument(
        fmt::format("{}: dataset is for HDF5 files, .h5, .hdf5 or .hdf", path));
  }
  switch (format) {
    case Format::npy: {
      const Tensor array = read_npy(path);
      return of_array(path, array, array.scalar_type(), choice);
    }
    case Format::fits:
      return of_fits(path, choice);
    case Format::hdf5:
      return of_hdf5(path, choice);
    case Format::picture:
      break;
  }
  return of_picture_file(path, choice);
}

std::string size_words(at::IntArrayRef spatial) {
  return fmt::format("{}", fmt::join(spatial.rbegin(), spatial.rend(), "x"));
}

}  // namespace restore
