// SPDX-License-Identifier: BSD-3-Clause
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <string>

#include "io/guard.hpp"
#include "io/tiff_axes.hpp"
#include "tessera/core/error.hpp"

namespace tessera::detail {

namespace {

struct Element {
  std::string_view name;  // without its prefix
  std::map<std::string_view, std::string_view> attributes;

  std::string_view operator[](std::string_view attribute) const {
    const auto found = attributes.find(attribute);
    return found == attributes.end() ? std::string_view() : found->second;
  }
};

/// Walks over the start tags of an XML text: comments and instructions are passed over, text and
/// nesting not looked at.
class TagScanner {
 public:
  explicit TagScanner(std::string_view text) : text_(text) {}

  /// The next start tag; nothing at the end. Throws error::Io if a tag does not end.
  std::optional<Element> next() {
    while (true) {
      const std::size_t start = text_.find('<');
      if (start == std::string_view::npos) return std::nullopt;
      text_.remove_prefix(start + 1);
      if (text_.starts_with("!--")) {
        skip_past("-->");
      } else if (text_.starts_with("![CDATA[")) {
        skip_past("]]>");
      } else if (text_.starts_with('?') || text_.starts_with('!') || text_.starts_with('/')) {
        skip_past(">");
      } else {
        return element();
      }
    }
  }

 private:
  static constexpr std::string_view space = " \t\r\n";

  [[noreturn]] static void fail() {
    throw error::Io("TIFF: is damaged: its OME-XML has a tag that does not end");
  }

  void skip_past(std::string_view end) {
    const std::size_t at = text_.find(end);
    if (at == std::string_view::npos) fail();
    text_.remove_prefix(at + end.size());
  }

  std::string_view until(std::string_view stops) {
    const std::size_t end = text_.find_first_of(stops);
    if (end == std::string_view::npos) fail();
    const std::string_view taken = text_.substr(0, end);
    text_.remove_prefix(end);
    return taken;
  }

  Element element() {
    Element element;
    element.name = until(" \t\r\n/>");
    element.name.remove_prefix(element.name.find(':') + 1);  // npos + 1 is 0
    while (true) {
      const std::size_t next = text_.find_first_not_of(" \t\r\n/");
      if (next == std::string_view::npos) fail();
      text_.remove_prefix(next);
      if (text_.front() == '>') return element;
      std::string_view name = until("=>");
      if (text_.front() == '>') fail();
      name = name.substr(0, name.find_last_not_of(space) + 1);
      text_.remove_prefix(1);
      text_.remove_prefix(std::min(text_.size(), text_.find_first_not_of(space)));
      if (text_.empty() || (text_.front() != '"' && text_.front() != '\'')) fail();
      const std::string_view quote = text_.substr(0, 1);
      text_.remove_prefix(1);
      element.attributes.emplace(name, until(quote));
      text_.remove_prefix(1);
    }
  }

  std::string_view text_;
};

/// Where pages belong, by the order in which the three counters run.
class Placement {
 public:
  Placement(const Element& pixels, std::int64_t pages, std::int64_t samples) {
    const auto extent = [&](std::string_view name) {
      const auto value = positive_integer(pixels[name]);
      if (!value) {
        throw error::Io(fmt::format("TIFF: its OME-XML has {} {}, expected a positive number", name,
                                    in_quotes(pixels[name])));
      }
      return *value;
    };
    const std::int64_t channels = extent("SizeC");
    axes_.frames = extent("SizeT");
    axes_.channels = channels / samples;
    axes_.planes = extent("SizeZ");
    if (channels % samples != 0 || axes_.frames > pages || axes_.channels > pages ||
        axes_.planes > pages || pages % axes_.frames != 0 ||
        pages / axes_.frames % axes_.channels != 0 ||
        pages / axes_.frames / axes_.channels != axes_.planes) {
      throw error::Io(
          fmt::format("TIFF: has {} pages of {} samples, expected those of {} frames, {} channels "
                      "and {} planes, "
                      "as its OME-XML says",
                      pages, samples, axes_.frames, channels, axes_.planes));
    }
    order_ = pixels["DimensionOrder"];
    std::string sorted(order_);
    std::sort(sorted.begin(), sorted.end());
    if (sorted != "CTXYZ" || !order_.starts_with("XY")) {
      throw error::Io(
          fmt::format("TIFF: its OME-XML has DimensionOrder {}, expected XY and three more of ZCT",
                      in_quotes(order_)));
    }
    axes_.pages.assign(static_cast<std::size_t>(pages), -1);
  }

  /// Pages of one TiffData element, or all in order if it is null.
  void place(const Element* data) {
    const auto number = [&](std::string_view name, std::int64_t otherwise) {
      if (data == nullptr || (*data)[name].empty()) return otherwise;
      if ((*data)[name] == "0") return std::int64_t{0};
      return positive_integer((*data)[name]).value_or(-1);
    };
    const auto pages = static_cast<std::int64_t>(axes_.pages.size());
    const bool alone = data == nullptr || data->attributes.empty();
    const std::int64_t first = number("IFD", 0);
    const std::int64_t count = number("PlaneCount", alone || (*data)["IFD"].empty() ? pages : 1);
    const std::map<char, std::int64_t> starts = {
        {'T', number("FirstT", 0)}, {'C', number("FirstC", 0)}, {'Z', number("FirstZ", 0)}};
    std::int64_t position = 0, step = 1;
    bool inside = first >= 0 && count >= 0 && count <= pages && first <= pages - count;
    for (const char axis : order_.substr(2)) {
      inside = inside && starts.at(axis) >= 0 && starts.at(axis) < extent(axis);
      position += inside ? step * starts.at(axis) : 0;
      step *= extent(axis);
    }
    if (!inside || position > pages - count) fail("names pages or planes that are not there");
    for (std::int64_t k = 0; k < count; ++k) {
      std::int64_t& page = axes_.pages[index_of(position + k)];
      if (page >= 0) fail("places two pages at one plane");
      page = first + k;
    }
  }

  TiffAxes finish() {
    std::vector<bool> used(axes_.pages.size());
    for (const std::int64_t page : axes_.pages) {
      if (page < 0) fail("leaves planes without a page: they may be in another file");
      if (used[static_cast<std::size_t>(page)]) fail("places one page at two planes");
      used[static_cast<std::size_t>(page)] = true;
    }
    return std::move(axes_);
  }

 private:
  [[noreturn]] static void fail(const char* what) {
    throw error::Io(fmt::format("TIFF: its OME-XML {}", what));
  }

  std::int64_t extent(char axis) const {
    return axis == 'T' ? axes_.frames : axis == 'C' ? axes_.channels : axes_.planes;
  }

  /// Index into pages of the plane with this number in the order of the file.
  std::size_t index_of(std::int64_t number) const {
    std::map<char, std::int64_t> at;
    for (const char axis : order_.substr(2)) {
      at[axis] = number % extent(axis);
      number /= extent(axis);
    }
    return static_cast<std::size_t>((at['T'] * axes_.channels + at['C']) * axes_.planes + at['Z']);
  }

  TiffAxes axes_;
  std::string_view order_;
};

/// Nothing if there are no sizes, or their units differ.
std::optional<VoxelSize> voxel_of(const Element& pixels) {
  const auto x = positive_number(pixels["PhysicalSizeX"]);
  const auto y = positive_number(pixels["PhysicalSizeY"]);
  const auto unit = [&](std::string_view name) {
    return pixels[name].empty() ? std::string("um") : unit_name(pixels[name]);
  };
  if (!x || !y || unit("PhysicalSizeXUnit") != unit("PhysicalSizeYUnit")) return std::nullopt;
  const auto z = positive_number(pixels["PhysicalSizeZ"]);
  if (z && unit("PhysicalSizeZUnit") != unit("PhysicalSizeXUnit")) return std::nullopt;
  return VoxelSize{z.value_or(1), *y, *x, unit("PhysicalSizeXUnit")};
}

}  // namespace

bool is_ome(std::string_view description) {
  const std::string_view start = description.substr(0, 4096);
  return start.starts_with('<') && start.find("OME") != std::string_view::npos;
}

TiffAxes read_ome_axes(std::string_view xml, std::int64_t pages, std::int64_t samples) {
  std::optional<Element> pixels;
  std::vector<Element> data;
  std::string_view file_name;
  TagScanner scanner(xml);
  while (const auto element = scanner.next()) {
    if (element->name == "Pixels") {
      if (pixels) throw error::Io("TIFF: its OME-XML has several images, expected one");
      pixels = element;
    } else if (element->name == "TiffData") {
      data.push_back(*element);
    } else if (element->name == "UUID" && !(*element)["FileName"].empty()) {
      if (!file_name.empty() && file_name != (*element)["FileName"]) {
        throw error::Io("TIFF: its OME-XML names several files, expected the whole image in one");
      }
      file_name = (*element)["FileName"];
    }
  }
  if (!pixels) throw error::Io("TIFF: its OME-XML has no image");
  Placement placement(*pixels, pages, samples);
  for (const Element& element : data) placement.place(&element);
  if (data.empty()) placement.place(nullptr);
  TiffAxes axes = placement.finish();
  axes.voxel = voxel_of(*pixels);
  return axes;
}

}  // namespace tessera::detail
