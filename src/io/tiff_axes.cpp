// SPDX-License-Identifier: BSD-3-Clause
#include "io/tiff_axes.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <map>
#include <numeric>

#include "tessera/core/error.hpp"

namespace tessera::detail {

namespace {

using Lines = std::map<std::string_view, std::string_view>;

/// The lines "key=value" of a text.
Lines lines_of(std::string_view text) {
  Lines lines;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find_first_of("\r\n"));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (const std::size_t equals = line.find('='); equals != std::string_view::npos) {
      lines.emplace(line.substr(0, equals), line.substr(equals + 1));
    }
  }
  return lines;
}

std::string_view value_of(const Lines& lines, std::string_view key) {
  const auto found = lines.find(key);
  return found == lines.end() ? std::string_view() : found->second;
}

TiffAxes planes_alone(std::int64_t pages) {
  TiffAxes axes;
  axes.planes = pages;
  axes.pages.resize(static_cast<std::size_t>(pages));
  std::iota(axes.pages.begin(), axes.pages.end(), 0);
  return axes;
}

std::optional<VoxelSize> imagej_voxel(const Lines& lines, const TiffDescription& description) {
  const std::string unit = unit_name(value_of(lines, "unit"));
  const double x = description.pixels_per_unit_x, y = description.pixels_per_unit_y;
  if (unit.empty() || unit == "pixel" || !(x > 0) || !(y > 0)) return std::nullopt;
  VoxelSize voxel{1, 1 / y, 1 / x, unit};
  if (!std::isfinite(voxel.height) || !std::isfinite(voxel.width)) return std::nullopt;
  voxel.depth = positive_number(value_of(lines, "spacing")).value_or(1);
  return voxel;
}

/// Pages of ImageJ: channels change fastest, then planes, then frames.
TiffAxes read_imagej_axes(const TiffDescription& description, std::int64_t pages) {
  const Lines lines = lines_of(description.text);
  const auto extent = [&](std::string_view key) {
    return positive_integer(value_of(lines, key)).value_or(1);
  };
  TiffAxes axes;
  axes.frames = extent("frames");
  axes.channels = extent("channels");
  axes.planes = extent("slices");
  if (pages == 1 && extent("images") > 1) {
    throw error::Io(fmt::format(
        "TIFF: has one page and says that {} images follow it, as ImageJ writes beyond 4 GB, which "
        "is not supported: save it as BigTIFF",
        extent("images")));
  }
  if (axes.frames == 1 && axes.channels == 1 && axes.planes == 1) {
    axes = planes_alone(pages);
  } else if (axes.frames > pages || axes.channels > pages || axes.planes > pages ||
             pages % axes.frames != 0 || pages / axes.frames % axes.channels != 0 ||
             pages / axes.frames / axes.channels != axes.planes) {
    throw error::Io(fmt::format(
        "TIFF: has {} pages, expected those of {} frames, {} channels and {} slices, as it says",
        pages, axes.frames, axes.channels, axes.planes));
  } else {
    for (std::int64_t t = 0; t < axes.frames; ++t) {
      for (std::int64_t c = 0; c < axes.channels; ++c) {
        for (std::int64_t z = 0; z < axes.planes; ++z) {
          axes.pages.push_back(c + axes.channels * (z + axes.planes * t));
        }
      }
    }
  }
  axes.voxel = imagej_voxel(lines, description);
  return axes;
}

template <class Number>
std::optional<Number> parsed(std::string_view text) {
  Number value{};
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

std::optional<std::int64_t> positive_integer(std::string_view text) {
  const auto value = parsed<std::int64_t>(text);
  return value && *value >= 1 && *value <= std::int64_t{1} << 31 ? value : std::nullopt;
}

std::optional<double> positive_number(std::string_view text) {
  const auto value = parsed<double>(text);
  return value && *value > 0 && std::isfinite(*value) ? value : std::nullopt;
}

std::string unit_name(std::string_view text) {
  // The micro sign and the Greek letter, in Latin-1, UTF-8, Java's and XML's escapes.
  static constexpr std::array<std::string_view, 10> micrometres = {
      "um",        "micron",   "microns",  "\xb5m",   "\xc2\xb5m",
      "\xce\xbcm", "\\u00B5m", "\\u00b5m", "&#181;m", "&#xB5;m"};
  for (const std::string_view name : micrometres) {
    if (text == name) return "um";
  }
  return std::string(text.substr(0, 32));
}

TiffAxes read_tiff_axes(const TiffDescription& description, std::int64_t pages) {
  if (is_ome(description.text)) {
    return read_ome_axes(description.text, pages, description.samples);
  }
  if (description.text.starts_with("ImageJ=")) return read_imagej_axes(description, pages);
  return planes_alone(pages);
}

}  // namespace tessera::detail
