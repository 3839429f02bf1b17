// SPDX-License-Identifier: BSD-3-Clause
#include "io/box_files.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "io/guard.hpp"
#include "io/host.hpp"
#include "io/npy_header.hpp"
#include "io/output_file.hpp"
#include "io/tiff_stack_writer.hpp"
#include "io/window.hpp"
#include "tessera/comm/agreement.hpp"
#include "tessera/comm/box_exchange.hpp"
#include "tessera/comm/same_on_all_ranks.hpp"
#include "tessera/core/error.hpp"
#include "tessera/io/atomic_file.hpp"
#include "tessera/io/box_files.hpp"
#include "tessera/io/npy.hpp"

namespace tessera {

namespace detail {

void write_array_boxes(const char* who, const std::string& path, Communicator& ranks,
                       const Tensor& part, const Box& box, const Extents& extents,
                       const BeginArrayFile& begin) {
  Box window;
  const Tensor values = fail_together(ranks, who, [&] {
    const auto axes = static_cast<std::int64_t>(extents.size());
    const bool fits = part.defined() && box.axes.size() == extents.size() && part.dim() >= axes &&
                      part.sizes().slice(static_cast<std::size_t>(part.dim() - axes)) ==
                          at::IntArrayRef(box.extents()) &&
                      intersection(box, whole_box(extents)) == box;
    if (!fits) {
      throw error::ShapeMismatch(fmt::format(
          "{}: {}: the part is {}, expected (..., {}), those of its box {}, within {}", who, path,
          describe(part), to_string(box.extents()), to_string(box), to_string(extents)));
    }
    window = whole_box(leading_of(part, box));
    window.axes.insert(window.axes.end(), box.axes.begin(), box.axes.end());
    return host_copy(part);
  });
  Extents shape = leading_of(values, box);
  shape.insert(shape.end(), extents.begin(), extents.end());
  same_on_all_ranks(ranks, who, "the array", to_string(shape), "the dtype",
                    dtype_name(values.scalar_type()));

  std::optional<AtomicFile> file;  // of the first rank
  std::string name;
  std::array<std::int64_t, 2> begun{};  // where the elements begin, letters of the name
  guarded(
      ranks, who,
      [&] {
        if (!ranks.is_root()) return;
        AtomicFile::remove_leftovers(path);
        file.emplace(path);
        name = file->temporary();
        begun = {in_file(who, path, [&] { return begin(name, values.scalar_type(), shape); }),
                 static_cast<std::int64_t>(name.size())};
      },
      begun);
  committed(ranks, who, [&] {
    name.resize(static_cast<std::size_t>(begun[1]));
    ranks.control().broadcast(name.data(), begun[1], DataType::u8, 0);
  });
  guarded(ranks, who, [&] {
    in_file(who, path, [&] {
      OutputFile target(name);
      const auto* source = static_cast<const char*>(values.const_data_ptr());
      each_piece(static_cast<std::uint64_t>(begun[0]), values.element_size(), shape, window,
                 [&](std::uint64_t offset, std::uint64_t bytes) {
                   target.write(offset, source, bytes);
                   source += bytes;
                 });
      target.flush();
    });
  });
  guarded(ranks, who, [&] {
    if (file) file->commit();
  });
}

Tensor read_array_boxes(const char* who, const std::string& path, const BoxSpace& space,
                        const std::function<Tensor(Extents& shape)>& read) {
  Extents shape;
  const Tensor own = fail_together(space.communicator(), who, [&] {
    Tensor values = read(shape);
    const std::size_t axes = space.extents().size();
    const bool fits = shape.size() >= axes && shape.size() <= axes + 2 &&
                      std::equal(space.extents().rbegin(), space.extents().rend(), shape.rbegin());
    if (!fits) {
      throw error::ShapeMismatch(
          fmt::format("{}: {}: the array is {}, expected up to two axes and then {}", who, path,
                      to_string(shape), to_string(space.extents())));
    }
    while (values.dim() < static_cast<std::int64_t>(axes) + 2) values = values.unsqueeze(0);
    return values;
  });
  same_on_all_ranks(space.communicator(), who, "the array", to_string(shape));
  return own;
}

}  // namespace detail

Tensor read_npy_boxes(const std::string& path, const BoxSpace& space) {
  return detail::read_array_boxes("read_npy_boxes", path, space, [&](Extents& shape) {
    shape = read_npy_header(path).shape;
    return read_npy(path, space.local());
  });
}

void write_npy_boxes(const std::string& path, const BoxSpace& space, const Tensor& own) {
  fail_together(space.communicator(), "write_npy_boxes",
                [&] { space.check_own(own, "write_npy_boxes"); });
  write_npy_boxes(path, space.communicator(), own, space.local(), space.extents());
}

void write_npy_boxes(const std::string& path, Communicator& ranks, const Tensor& part,
                     const Box& box, const Extents& extents) {
  detail::write_array_boxes(
      "write_npy_boxes", path, ranks, part, box, extents,
      [](const std::string& name, at::ScalarType type, const Extents& shape) {
        const std::optional<std::string> header = detail::npy_header(type, shape);
        if (!header) {
          throw error::InvalidArgument(
              fmt::format("write_npy_boxes: the part is {}, expected a dtype that write_npy takes",
                          detail::dtype_name(type)));
        }
        detail::OutputFile file(name);
        file.write(0, header->data(), header->size());
        file.resize(header->size() + static_cast<std::uint64_t>(c10::multiply_integers(shape)) *
                                         c10::elementSize(type));
        return static_cast<std::int64_t>(header->size());
      });
}

Tensor read_tiff_boxes(const std::string& path, const BoxSpace& space) {
  return detail::read_array_boxes("read_tiff_boxes", path, space, [&](Extents& shape) {
    TiffStack stack = read_tiff_stack(path, {.window = space.local()});
    shape = stack.shape;
    if (space.extents().size() == 2 && shape[2] == 1) {
      shape.erase(shape.begin() + 2);
      stack.values = stack.values.squeeze(2);
    }
    return stack.values;
  });
}

namespace {

/// Pages of an image in boxes, on the first rank.
class SharedTiffFile {
 public:
  SharedTiffFile(const std::string& path, const Extents& shape,
                 const TiffStackWriteOptions& options)
      : path_(path),
        file_(path),
        target_(file_.temporary()),
        stream_(target_, detail::needs_big_tiff(shape, options.samples)),
        writer_(path, stream_, shape, options) {}

  void write(const Tensor& rows) {
    detail::in_file("write_tiff_boxes", path_, [&] { writer_.write(rows); });
  }
  void commit() {
    detail::in_file("write_tiff_boxes", path_, [&] { stream_.finish(); });
    file_.commit();
  }

 private:
  const std::string& path_;
  AtomicFile file_;
  detail::OutputFile target_;
  detail::TiffStream stream_;
  detail::TiffStackWriter writer_;
};

}  // namespace

void write_tiff_boxes(const std::string& path, const BoxSpace& space, const Tensor& own,
                      const TiffStackWriteOptions& options, std::int64_t most_bytes) {
  const char* who = "write_tiff_boxes";
  Communicator& ranks = space.communicator();
  detail::check_to_stream(space, own, who);
  const Box whole = whole_box(space.extents());
  const bool is_volume = whole.axes.size() == 3;
  const std::int64_t planes = is_volume ? space.extents()[0] : 1;
  const std::int64_t height = *(space.extents().end() - 2);
  const std::int64_t width = space.extents().back();
  const Extents shape = {own.size(0), own.size(1), planes, height, width};
  std::optional<SharedTiffFile> file;  // of the first rank
  guarded(ranks, who, [&] {
    if (whole.axes.size() < 2 || whole.axes.size() > 3) {
      throw error::ShapeMismatch(fmt::format("{}: {}: the image has {} dimensions, expected 2 or 3",
                                             who, path, whole.axes.size()));
    }
    if (own.is_complex() || own.scalar_type() == at::kBool) {
      throw error::ShapeMismatch(
          fmt::format("{}: {}: the image is {}, expected a real tensor", who, path, describe(own)));
    }
    detail::check_tiff_options(who, path, options);
    if (!ranks.is_root()) return;
    AtomicFile::remove_leftovers(path);
    file.emplace(path, shape, options);
  });
  const std::int64_t strip = detail::TiffStackWriter::rows_per_strip(shape, options.samples);
  const std::int64_t strip_bytes = strip * width * static_cast<std::int64_t>(own.element_size());
  const std::int64_t step = strip * std::max<std::int64_t>(1, most_bytes / strip_bytes);
  const BoxesOfRanks owned = one_each(space.boxes());
  const auto write_rows = [&](const Tensor& page, const Box& slab) {
    const BoxExchange exchange(space.ranks(), owned, detail::at_root(space, slab));
    const Tensor here = exchange.forward({page}).front();
    // Right before the agreement of the next exchange, or of the last step.
    if (ranks.is_root()) {
      fail_together(ranks, who, [&] { file->write(detail::host_copy(here).reshape({-1, width})); });
    }
  };
  for (std::int64_t t = 0; t < own.size(0); ++t) {
    for (std::int64_t z = 0; z < planes; ++z) {
      for (std::int64_t c = 0; c < own.size(1); ++c) {
        for (std::int64_t row = 0; row < height; row += step) {
          Box slab = whole;
          if (is_volume) slab.axes.front() = {z, z + 1};
          slab.axes[slab.axes.size() - 2] = {row, std::min(height, row + step)};
          write_rows(own[t][c], slab);
        }
      }
    }
  }
  guarded(ranks, who, [&] {
    if (file) file->commit();
  });
}

}  // namespace tessera
