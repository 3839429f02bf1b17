// SPDX-License-Identifier: BSD-3-Clause
#include <ATen/ops/clamp.h>
#include <ATen/ops/round.h>
#include <fmt/format.h>

#include <filesystem>

#include "restore/file_format.hpp"
#include "restore/pictures.hpp"
#include "tessera/core/error.hpp"
#include "tessera/io/box_files.hpp"
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

#ifdef TESSERA_RESTORE_HDF5
/// The name of a result.
std::string written_dataset(const Picture& source) {
  return source.dataset.empty() ? "image" : source.dataset;
}
#endif

/// To the nearest integers that a file can hold.
Tensor as_integers(const Tensor& values, Samples samples) {
  const SampleRange range = range_of(samples);
  return at::round(at::clamp(values, range.least, range.largest));
}

/// (C, H, W), (H, W), ... as arrays hold these samples.
Tensor as_array(const Tensor& values, Samples samples) {
  Tensor array = values.squeeze(0);
  if (array.size(0) == 1) array = array.squeeze(0);
  return (is_floating(samples) ? array : as_integers(array, samples)).to(type_of(samples));
}

SampleType sample_type(Samples samples) {
  return samples == Samples::u8    ? SampleType::u8
         : samples == Samples::u16 ? SampleType::u16
                                   : SampleType::f32;
}

}  // namespace

Samples samples_in(const std::string& path, Samples samples) {
  const bool is_kept = samples == Samples::u8 || samples == Samples::u16;
  return is_tiff(path) && !is_kept ? Samples::f32 : samples;
}

void check_output(const std::string& path, Samples samples, at::IntArrayRef image) {
  const std::int64_t channels = image[1];
  const auto refuse = [&](const std::string& what) {
    throw error::InvalidArgument(fmt::format("{}: {}", path, what));
  };
  const std::string ending = ending_of(path);
  const bool is_jpeg = is_one_of(ending, {".jpg", ".jpeg"});
  if (format_of(path) == Format::picture && ending != ".png" && !is_jpeg && !is_tiff(path)) {
    refuse("expected a name that ends in .png, .jpg, .tif, .npy, .fits or .h5");
  }
#ifndef TESSERA_RESTORE_HDF5
  if (format_of(path) == Format::hdf5) throw_without_hdf5(path);
#endif
#ifndef TESSERA_RESTORE_FITS
  if (format_of(path) == Format::fits) throw_without_fits(path);
#endif
  const std::string instead = "; give a name that ends in .tif, .npy, .fits or .h5";
  const bool is_word = samples == Samples::u16;
  if ((ending == ".png" && !is_word && samples != Samples::u8) ||
      (is_jpeg && samples != Samples::u8)) {
    refuse(fmt::format("{} cannot hold {} samples, which the measurements have{}", ending,
                       settings::name_of(samples),
                       is_jpeg && is_word ? "; give a name that ends in .png or .tif" : instead));
  }
  if ((ending == ".png" || is_jpeg) && image.size() == 5) {
    refuse(fmt::format("{} cannot hold a volume{}", ending, instead));
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
                   const Picture& source) {
  if (format_of(path) == Format::picture) {
    const SampleType type = sample_type(samples);
    if (values.dim() == 5) {
      return write_tiff_stack(path, is_floating(samples) ? values : as_integers(values, samples),
                              {.samples = type, .voxel = source.voxel});
    }
    const bool is_scaled = type != SampleType::f32;
    write_image(path, is_scaled ? values / range_of(samples).largest : values, {.samples = type});
    return;
  }
  const Tensor array = as_array(values, samples);
  if (format_of(path) == Format::npy) return write_npy(path, array);
#ifdef TESSERA_RESTORE_HDF5
  if (format_of(path) == Format::hdf5) {
    return write_hdf5(path, {{written_dataset(source), array}});
  }
#endif
#ifdef TESSERA_RESTORE_FITS
  write_fits(path, array, source.cards);
#else
  static_cast<void>(source);
  throw_without_fits(path);
#endif
}

void check_output_of_boxes(const std::string& path) {
  const Format format = format_of(path);
  if (is_tiff(path) || format == Format::npy || format == Format::hdf5) return;
  throw error::InvalidArgument(fmt::format(
      "{}: cannot be written in parts, as --distribute-image does: give a name that ends in .tif, "
      ".npy or .h5",
      path));
}

void write_boxes(const std::string& path, const BoxSpace& space, const Tensor& own, Samples samples,
                 const Picture& source) {
#ifdef TESSERA_RESTORE_HDF5
  if (format_of(path) == Format::hdf5) {
    return write_hdf5_boxes(path, written_dataset(source), space.communicator(),
                            as_array(own, samples), space.local(), space.extents());
  }
#endif
  if (!is_tiff(path)) {
    return write_npy_boxes(path, space.communicator(), as_array(own, samples), space.local(),
                           space.extents());
  }
  const Tensor values = is_floating(samples) ? own : as_integers(own, samples);
  write_tiff_boxes(path, space, values, {.samples = sample_type(samples), .voxel = source.voxel});
}

}  // namespace restore
