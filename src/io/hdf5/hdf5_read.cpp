// SPDX-License-Identifier: BSD-3-Clause
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "io/box_files.hpp"
#include "io/guard.hpp"
#include "io/hdf5/hdf5_types.hpp"
#include "io/host.hpp"
#include "io/input_file.hpp"
#include "io/window.hpp"
#include "tessera/core/error.hpp"
#include "tessera/io/hdf5.hpp"

namespace tessera {

namespace {

using detail::checked;
using detail::Hdf5Id;
using detail::opened;

std::vector<std::int64_t> shape_of(hid_t dataset) {
  const Hdf5Id space = opened(H5Dget_space(dataset), H5Sclose, "a shape cannot be read");
  const H5S_class_t kind = H5Sget_simple_extent_type(space);
  if (kind == H5S_SCALAR) return {};
  if (kind != H5S_SIMPLE) throw error::Io("has a dataset without an array");
  std::vector<hsize_t> extents(static_cast<std::size_t>(
      checked(H5Sget_simple_extent_ndims(space), "a shape cannot be read")));
  checked(H5Sget_simple_extent_dims(space, extents.data(), nullptr), "a shape cannot be read");
  std::vector<std::int64_t> shape;
  for (const hsize_t extent : extents) {
    shape.push_back(static_cast<std::int64_t>(std::min<hsize_t>(extent, INT64_MAX)));
  }
  detail::checked_count(shape);
  return shape;
}

/// An open file. A session is held as long.
class Reader {
 public:
  explicit Reader(const std::string& path)
      : path_(path), file_size_(detail::InputFile(path).size()), file_(open(path)) {}

  std::vector<Hdf5Dataset> list() {
    std::vector<Hdf5Dataset> found;
    visit(file_, "", 0, [&](const std::string& name, hid_t dataset) {
      found.push_back({name, shape_of(dataset), type_name(dataset)});
    });
    return found;
  }

  bool contains(const std::string& name) { return H5Lexists(file_, name.c_str(), H5P_DEFAULT) > 0; }

  std::vector<std::int64_t> shape(const std::string& name) { return shape_of(open_dataset(name)); }

  Tensor read(const char* function, const std::string& name, const Box& window,
              std::int64_t max_values) {
    const Hdf5Id dataset = open_dataset(name);
    const std::vector<std::int64_t> shape = shape_of(dataset);
    const Box box = detail::checked_window(function, path_, window, shape);
    const Hdf5Id type = opened(H5Dget_type(dataset), H5Tclose, "a type cannot be read");
    const detail::Hdf5Reading reading = detail::hdf5_reading(type);
    const std::vector<std::int64_t> extents = box.extents();
    const std::int64_t count = detail::checked_count(extents);
    if (count > max_values) {
      throw error::Io(fmt::format("has {} of shape {}, more than the {} values that were allowed",
                                  detail::in_quotes(name), to_string(extents), max_values));
    }
    const std::uint64_t stored = H5Tget_size(type);
    check_plausible(static_cast<std::uint64_t>(count) * stored);
    check_storage(dataset, stored);
    Tensor values = detail::host_tensor(extents, reading.type);
    if (count == 0) return values;
    fill(dataset, box, reading.memory, values);
    return values;
  }

 private:
  /// The largest factor by which deflate can shrink.
  static constexpr std::uint64_t largest_ratio = 1032;
  static constexpr int most_links = 100'000;

  static Hdf5Id open(const std::string& path) {
    const Hdf5Id access = opened(H5Pcreate(H5P_FILE_ACCESS), H5Pclose, "cannot be opened");
    H5Pset_fclose_degree(access, H5F_CLOSE_STRONG);
    return opened(H5Fopen(path.c_str(), H5F_ACC_RDONLY, access), H5Fclose,
                  "is damaged or no HDF5 file");
  }

  /// Throws unless each part of the name is a link within the file. External links would open other
  /// files, and others may lead to one.
  void check_links(const std::string& name) {
    for (std::size_t end = 0; end != std::string::npos;) {
      end = name.find('/', end + 1);
      const std::string part = name.substr(0, end);
      H5L_info_t link{};
      if (H5Lexists(file_, part.c_str(), H5P_DEFAULT) <= 0) fail_missing(name);
      checked(H5Lget_info(file_, part.c_str(), &link, H5P_DEFAULT),
              "is damaged: a link cannot be read");
      if (link.type != H5L_TYPE_HARD) {
        throw error::Io(
            fmt::format("has a link at {}, which is not followed", detail::in_quotes(part)));
      }
    }
  }

  [[noreturn]] void fail_missing(const std::string& name) {
    constexpr std::size_t most = 20;
    std::vector<std::string> names;
    for (const Hdf5Dataset& dataset : list()) {
      if (names.size() < most) names.push_back(detail::in_quotes(dataset.name));
    }
    throw error::Io(
        fmt::format("has no dataset {}, it has {}", detail::in_quotes(name),
                    names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", "))));
  }

  Hdf5Id open_dataset(const std::string& name) {
    check_links(name);
    const Hdf5Id object = opened(H5Oopen(file_, name.c_str(), H5P_DEFAULT), H5Oclose,
                                 "is damaged: a dataset cannot be opened");
    if (H5Iget_type(object) != H5I_DATASET) fail_missing(name);
    return opened(H5Dopen2(file_, name.c_str(), H5P_DEFAULT), H5Dclose,
                  "is damaged: a dataset cannot be opened");
  }

  void check_plausible(std::uint64_t bytes) const {
    if (bytes / largest_ratio > file_size_) {
      throw error::Io(
          fmt::format("is truncated or damaged: it declares {} bytes of data, which {} "
                      "bytes of file cannot hold",
                      bytes, file_size_));
    }
  }

  /// Throws if the data lie in other files, or if one piece of them is unreasonably large.
  void check_storage(hid_t dataset, std::uint64_t element) const {
    const Hdf5Id plan = opened(H5Dget_create_plist(dataset), H5Pclose, "a layout cannot be read");
    const H5D_layout_t layout = H5Pget_layout(plan);
    if (layout == H5D_VIRTUAL ||
        checked(H5Pget_external_count(plan), "a layout cannot be read") > 0) {
      throw error::Io("keeps its data in other files, which is not supported");
    }
    if (layout == H5D_CONTIGUOUS && H5Dget_storage_size(dataset) > file_size_) {
      throw error::Io(fmt::format("is truncated: its array has {} bytes, and the file {}",
                                  H5Dget_storage_size(dataset), file_size_));
    }
    if (layout != H5D_CHUNKED) return;
    std::vector<hsize_t> extents(H5S_MAX_RANK);
    const int dimensions =
        checked(H5Pget_chunk(plan, H5S_MAX_RANK, extents.data()), "a layout cannot be read");
    std::uint64_t bytes = element;
    for (int i = 0; i < dimensions; ++i) {
      bytes *= std::min<hsize_t>(extents[static_cast<std::size_t>(i)], 1U << 31);
      check_plausible(bytes);
    }
  }

  void fill(hid_t dataset, const Box& box, hid_t memory, const Tensor& values) const {
    const char* failed = "is truncated or damaged: its data cannot be read";
    std::vector<hsize_t> first, count;
    for (const Interval along : box.axes) {
      first.push_back(static_cast<hsize_t>(along.begin));
      count.push_back(static_cast<hsize_t>(along.length()));
    }
    const Hdf5Id file_space = opened(H5Dget_space(dataset), H5Sclose, failed);
    const auto dimensions = static_cast<int>(box.axes.size());
    const Hdf5Id space =
        opened(dimensions == 0 ? H5Screate(H5S_SCALAR)
                               : H5Screate_simple(dimensions, count.data(), nullptr),
               H5Sclose, failed);
    if (dimensions > 0) {
      checked(H5Sselect_hyperslab(file_space, H5S_SELECT_SET, first.data(), nullptr, count.data(),
                                  nullptr),
              failed);
    }
    checked(H5Dread(dataset, memory, space, file_space, H5P_DEFAULT, values.mutable_data_ptr()),
            failed);
    if (values.scalar_type() == at::kBool) {  // a damaged one may be neither 0 nor 1
      auto* bytes = static_cast<unsigned char*>(values.mutable_data_ptr());
      std::transform(bytes, bytes + values.nbytes(), bytes,
                     [](unsigned char byte) { return static_cast<unsigned char>(byte != 0); });
    }
  }

  static std::string type_name(hid_t dataset) {
    try {
      const Hdf5Id type = opened(H5Dget_type(dataset), H5Tclose, "a type cannot be read");
      return detail::dtype_name(detail::hdf5_reading(type).type);
    } catch (const error::Io& refusal) {
      return refusal.what();
    }
  }

  /// The names of a group's links to objects of this file, sorted. Collected in one go: a look-up
  /// by index makes HDF5 tabulate all of them each time, and HDF5 1.10 crashes on damaged tables.
  std::vector<std::string> links_of(hid_t group) {
    std::vector<std::string> names;
    std::pair links(&names, &visited_);
    const auto add = [](hid_t, const char* name, const H5L_info_t* link, void* to) -> herr_t {
      const auto& [list, visited] = *static_cast<decltype(links)*>(to);
      if (++*visited > most_links) return 1;  // stops
      if (link->type == H5L_TYPE_HARD) list->emplace_back(name);
      return 0;
    };
    checked(H5Literate(group, H5_INDEX_NAME, H5_ITER_NATIVE, nullptr, add, &links),
            "is damaged: a link cannot be read");
    std::sort(names.begin(), names.end());
    return names;
  }

  /// Calls found(name, dataset) for the datasets of a group and of those within it. A group may
  /// contain itself: depth and number have limits.
  template <class Found>
  void visit(hid_t group, const std::string& prefix, int depth, const Found& found) {
    constexpr int deepest = 32;
    const std::vector<std::string> names = links_of(group);
    if (visited_ > most_links || (depth > deepest && !names.empty())) {
      throw error::Io(
          fmt::format("has more than {} objects, or groups deeper than {}", most_links, deepest));
    }
    for (const std::string& name : names) {
      const Hdf5Id object = opened(H5Oopen(group, name.c_str(), H5P_DEFAULT), H5Oclose,
                                   "is damaged: an object cannot be opened");
      if (H5Iget_type(object) == H5I_DATASET) found(prefix + name, object);
      if (H5Iget_type(object) == H5I_GROUP) visit(object, prefix + name + "/", depth + 1, found);
    }
  }

  const std::string& path_;
  std::uint64_t file_size_;
  Hdf5Id file_;
  int visited_ = 0;
};

}  // namespace

std::vector<Hdf5Dataset> list_hdf5(const std::string& path) {
  return detail::in_file("list_hdf5", path, [&] {
    const detail::Hdf5Session session;
    return Reader(path).list();
  });
}

Tensor read_hdf5(const std::string& path, const std::string& dataset,
                 const Hdf5ReadOptions& options) {
  return detail::in_file("read_hdf5", path, [&] {
    const detail::Hdf5Session session;
    return Reader(path).read("read_hdf5", dataset, options.window, options.max_values);
  });
}

Tensor read_hdf5_boxes(const std::string& path, const std::string& dataset, const BoxSpace& space) {
  const char* who = "read_hdf5_boxes";
  return detail::read_array_boxes(who, path, space, [&](Extents& shape) {
    return detail::in_file(who, path, [&] {
      const detail::Hdf5Session session;
      Reader reader(path);
      shape = reader.shape(dataset);
      return reader.read(who, dataset, space.local(), Hdf5ReadOptions().max_values);
    });
  });
}

FastMri read_fastmri(const std::string& path, const std::optional<Interval>& slices) {
  return detail::in_file("read_fastmri", path, [&] {
    const detail::Hdf5Session session;
    Reader reader(path);
    const auto read = [&](const std::string& name) {
      Box window;
      if (slices) {
        window = whole_box(reader.shape(name));
        if (!window.axes.empty()) window.axes.front() = *slices;
      }
      return reader.read("read_fastmri", name, window, Hdf5ReadOptions().max_values);
    };
    FastMri result;
    result.kspace = read("kspace");
    if (result.kspace.dim() == 3) result.kspace = result.kspace.unsqueeze(1);
    if (result.kspace.dim() != 4 || !result.kspace.is_complex()) {
      throw error::Io(
          fmt::format("has a dataset 'kspace' that is {}, expected complex (slices, coils, H, W) "
                      "or (slices, H, W)",
                      describe(result.kspace)));
    }
    for (const char* name : {"reconstruction_rss", "reconstruction_esc"}) {
      if (!reader.contains(name)) continue;
      result.reconstruction = read(name);
      break;
    }
    return result;
  });
}

}  // namespace tessera
