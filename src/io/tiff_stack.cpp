// SPDX-License-Identifier: BSD-3-Clause
#include "tessera/io/tiff_stack.hpp"

#include <ATen/ops/aminmax.h>
#include <fmt/format.h>

#include <algorithm>

#include "io/guard.hpp"
#include "io/host.hpp"
#include "io/samples.hpp"
#include "io/tiff_axes.hpp"
#include "io/tiff_directories.hpp"
#include "io/tiff_page.hpp"
#include "io/window.hpp"
#include "tessera/core/error.hpp"

namespace tessera {

namespace {

using detail::TiffPage;

std::string description_of(const TiffPage& page) {
  const char* kind = page.format == SAMPLEFORMAT_INT      ? "signed"
                     : page.format == SAMPLEFORMAT_IEEEFP ? "floating"
                     : page.format <= SAMPLEFORMAT_VOID   ? "unsigned"
                                                          : "other";
  return fmt::format("{} x {} pixels of {} {} samples with {} bits", page.width, page.height,
                     page.samples, kind, page.bits);
}

at::ScalarType sample_type(const TiffPage& page) {
  const bool natural = page.format == SAMPLEFORMAT_UINT || page.format == SAMPLEFORMAT_VOID;
  const bool integer = page.format == SAMPLEFORMAT_INT;
  const bool floating = page.format == SAMPLEFORMAT_IEEEFP;
  if (page.bits == 8 && natural) return at::kByte;
  if (page.bits == 8 && integer) return at::kChar;
  if (page.bits == 16 && natural) return at::kUInt16;
  if (page.bits == 16 && integer) return at::kShort;
  if (page.bits == 32 && natural) return at::kUInt32;
  if (page.bits == 32 && integer) return at::kInt;
  if (page.bits == 32 && floating) return at::kFloat;
  if (page.bits == 64 && floating) return at::kDouble;
  throw error::Io(fmt::format(
      "TIFF: has {}, expected integers of 8, 16 or 32 bits or floating ones of 32 or 64",
      description_of(page)));
}

/// float32 if it holds every value of the type.
at::ScalarType value_type(at::ScalarType stored) {
  const bool wide = stored == at::kUInt32 || stored == at::kInt || stored == at::kDouble;
  return wide ? at::kDouble : at::kFloat;
}

void check_photometric(const TiffPage& page) {
  switch (page.photometric) {
    case PHOTOMETRIC_MINISBLACK:
    case PHOTOMETRIC_MINISWHITE:
    case PHOTOMETRIC_PALETTE:
    case PHOTOMETRIC_RGB:
      return;
    case PHOTOMETRIC_YCBCR:
      if (page.compression == COMPRESSION_JPEG) return;
      break;
    default:
      break;
  }
  throw error::Io(fmt::format(
      "TIFF: has photometric interpretation {}, expected grey, palette or RGB", page.photometric));
}

class StackReader {
 public:
  StackReader(const std::string& path, const TiffStackReadOptions& options)
      : path_(path), options_(options), file_(path) {
    if (!detail::is_tiff(file_.read(0, std::min<std::uint64_t>(file_.size(), 4)))) {
      throw error::Io("is not a TIFF file");
    }
    directories_ = detail::list_directories(file_);
  }

  TiffStack read() {
    const detail::TiffStream stream(file_);
    first_page_ = first_of_stack();
    first_ = open(stream, first_page_);
    TiffStack stack;
    stack.stored = sample_type(first_);
    check_photometric(first_);
    find_axes(stream);
    stack.shape = {axes_.frames, axes_.channels * first_.samples, axes_.planes, first_.height,
                   first_.width};
    window_ = detail::checked_window("read_tiff_stack", path_, options_.window, stack.shape);
    check_sizes();
    stack.values = detail::host_tensor(window_.extents(), value_type(stack.stored));
    fill(stream, stack);
    const auto [smallest, largest] = at::aminmax(stack.values);
    stack.smallest = smallest.item<double>();
    stack.largest = largest.item<double>();
    stack.voxel = axes_.voxel;
    return stack;
  }

 private:
  static bool secondary(const detail::TiffDirectory& directory) {
    return (directory.kind & (FILETYPE_REDUCEDIMAGE | FILETYPE_MASK)) != 0;
  }

  std::size_t first_of_stack() const {
    const auto found = std::find_if_not(directories_.begin(), directories_.end(), secondary);
    return found == directories_.end() ? 0 : static_cast<std::size_t>(found - directories_.begin());
  }

  TiffPage open(const detail::TiffStream& stream, std::size_t page) const {
    if (TIFFSetSubDirectory(stream.handle(), directories_[page].offset) != 1) {
      stream.fail("a page cannot be read");
    }
    return detail::read_tiff_page(stream.handle());
  }

  /// Reads what the pages are; the stream is at the first.
  void find_axes(const detail::TiffStream& stream) {
    TIFF* tiff = stream.handle();
    detail::TiffDescription description;
    const char* text = nullptr;
    float x = 0, y = 0;
    if (TIFFGetField(tiff, TIFFTAG_IMAGEDESCRIPTION, &text) == 1) description.text = text;
    if (TIFFGetField(tiff, TIFFTAG_XRESOLUTION, &x) == 1) description.pixels_per_unit_x = x;
    if (TIFFGetField(tiff, TIFFTAG_YRESOLUTION, &y) == 1) description.pixels_per_unit_y = y;
    description.samples = std::max<std::int64_t>(1, first_.samples);
    // OME-XML counts every page of the file.
    const bool all = detail::is_ome(description.text) ||
                     std::all_of(directories_.begin(), directories_.end(), secondary);
    for (std::size_t i = 0; i < directories_.size(); ++i) {
      const detail::TiffDirectory& directory = directories_[i];
      if (!all && secondary(directory)) continue;
      if (directory.width != first_.width || directory.height != first_.height) {
        throw error::Io(fmt::format("TIFF: page {} has {} x {} pixels, expected {} x {} as page {}",
                                    i + 1, directory.width, directory.height, first_.width,
                                    first_.height, first_page_ + 1));
      }
      pages_.push_back(i);
    }
    axes_ = detail::read_tiff_axes(description, static_cast<std::int64_t>(pages_.size()));
  }

  /// Before memory is allocated.
  void check_sizes() const {
    const auto most = static_cast<double>(options_.max_values);
    double values = 1;
    for (const Interval along : window_.axes) values *= static_cast<double>(along.length());
    const double page = static_cast<double>(first_.width) * first_.height * first_.samples;
    if (first_.samples == 0 || first_.samples > detail::most_channels || values > most ||
        page > most) {
      throw error::Io(fmt::format(
          "TIFF: has pages of {}, {} values in all, expected 1 to {} samples and at most {} values",
          description_of(first_), values, detail::most_channels, options_.max_values));
    }
    if (page == 0) throw error::Io("TIFF: declares empty pages");
    const auto pages = static_cast<std::uint64_t>(window_.axes[0].length()) *
                       static_cast<std::uint64_t>(window_.axes[2].length());
    const auto channels =
        static_cast<std::uint64_t>((window_.axes[1].length() - 1) / first_.samples + 1);
    const bool whole =
        window_.axes[3].length() == first_.height && window_.axes[4].length() == first_.width;
    detail::check_tiff_plausible(first_.compression,
                                 first_.raw_size() * (whole ? pages * channels : 1), file_.size());
  }

  void fill(const detail::TiffStream& stream, const TiffStack& stack) const {
    const std::int64_t first_channel = window_.axes[1].begin / first_.samples;
    const std::int64_t last_channel = (window_.axes[1].end - 1) / first_.samples;
    for (std::int64_t t = 0; t < window_.axes[0].length(); ++t) {
      for (std::int64_t c = first_channel; c <= last_channel; ++c) {
        for (std::int64_t z = 0; z < window_.axes[2].length(); ++z) {
          const std::int64_t index =
              ((window_.axes[0].begin + t) * axes_.channels + c) * axes_.planes +
              window_.axes[2].begin + z;
          const auto page = static_cast<std::size_t>(axes_.pages[static_cast<std::size_t>(index)]);
          place(samples_of(stream, pages_[page], stack.stored),
                stack.values.select(0, t).select(1, z), c * first_.samples);
        }
      }
    }
  }

  /// The window's rows and columns of a page, (H, W, samples).
  Tensor samples_of(const detail::TiffStream& stream, std::size_t page, at::ScalarType type) const {
    const TiffPage layout = open(stream, page);
    if (layout.width != first_.width || layout.height != first_.height ||
        layout.samples != first_.samples || layout.bits != first_.bits ||
        sample_type(layout) != type) {
      throw error::Io(fmt::format("TIFF: page {} has {}, expected {} as page {}", page + 1,
                                  description_of(layout), description_of(first_), first_page_ + 1));
    }
    check_photometric(layout);
    detail::check_tiff_plausible(layout.compression, layout.raw_size(), file_.size());
    const auto& rows = window_.axes[3];
    const auto& columns = window_.axes[4];
    const Tensor samples =
        detail::host_tensor({rows.length(), columns.length(), layout.samples}, type);
    const detail::TiffBox box{
        static_cast<std::uint32_t>(rows.begin), static_cast<std::uint32_t>(columns.begin),
        static_cast<std::uint32_t>(rows.length()), static_cast<std::uint32_t>(columns.length())};
    detail::read_tiff_samples(stream, layout, box, samples);
    return samples;
  }

  /// Copies the channels of the window; the first sample is channel `channel` of the file.
  void place(const Tensor& samples, const Tensor& values, std::int64_t channel) const {
    const std::int64_t first = std::max(channel, window_.axes[1].begin);
    const std::int64_t last = std::min(channel + samples.size(2), window_.axes[1].end);
    values.narrow(0, first - window_.axes[1].begin, last - first)
        .copy_(samples.narrow(2, first - channel, last - first).permute({2, 0, 1}));
  }

  const std::string& path_;
  const TiffStackReadOptions& options_;
  detail::InputFile file_;
  std::vector<detail::TiffDirectory> directories_;
  std::vector<std::size_t> pages_;  // of the stack, as indices of directories
  std::size_t first_page_ = 0;
  TiffPage first_;
  detail::TiffAxes axes_;
  Box window_;
};

}  // namespace

TiffStack read_tiff_stack(const std::string& path, const TiffStackReadOptions& options) {
  return detail::in_file("read_tiff_stack", path,
                         [&] { return StackReader(path, options).read(); });
}

}  // namespace tessera
