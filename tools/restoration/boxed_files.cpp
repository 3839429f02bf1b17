// SPDX-License-Identifier: BSD-3-Clause
#include "restoration/boxed_files.hpp"

#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <limits>

#include "tessera/comm/agreement.hpp"
#include "tessera/core/check.hpp"
#include "tessera/core/error.hpp"
#include "tessera/distributed/box_stream.hpp"
#include "tessera/io/box_files.hpp"
#include "tessera/io/digest.hpp"
#include "tessera/io/image.hpp"
#include "tessera/io/intensities.hpp"
#include "tessera/io/npy.hpp"

namespace restoration {

using namespace tessera;

namespace {

/// What intensities reach from and to, on this rank or on all.
struct Range {
  double least = std::numeric_limits<double>::infinity();
  double largest = -least;

  void include(const Tensor& values, const std::string& who) {
    if (values.numel() == 0) return;
    check_finite(values, who, "this rank's part of the file");
    least = std::min(least, values.min().item<double>());
    largest = std::max(largest, values.max().item<double>());
  }
};

Photograph of_shape(const Extents& shape) {
  return {.image = at::zeros({1, 1, 1, 1}).expand(shape), .is_shape = true};
}

/// Collective. check_intensities for what all ranks have together, which `range` then is.
std::string check_range(Communicator& ranks, const std::string& who, Range& range, double noise) {
  std::array<double, 2> bounds = {range.largest, -range.least};
  if (ranks.size() > 1) {
    ranks.control().all_reduce(bounds.data(), 2, DataType::f64, Reduction::max);
  }
  range.largest = bounds[0];
  range.least = -bounds[1];
  return guarded(ranks, who, [&] {
    return check_intensities(who, at::tensor({range.least, range.largest}, at::kDouble), noise);
  });
}

}  // namespace

void write_npy_of_boxes(const std::string& path, const BoxSpace& space, const TensorList& own) {
  const Tensor part = own.size() == 1 ? own.front().squeeze(0) : at::cat(own);
  write_npy_boxes(path, space.communicator(), part, space.local(), space.extents());
}

Photograph shape_of_image_array(const std::string& path) {
  const NpyHeader header = read_npy_header(path);
  const Extents& shape = header.shape;
  if (shape.size() != 3 || shape[0] != 3 || !at::isFloatingType(header.type) ||
      c10::multiply_integers(shape) == 0) {
    throw error::ShapeMismatch(
        fmt::format("--truth {}: the file holds {} [{}], expected a floating [3, H, W]", path,
                    c10::toString(header.type), fmt::join(shape, ", ")));
  }
  return of_shape({1, 3, shape[1], shape[2]});
}

Photograph read_image_of_boxes(const std::string& path, const BoxSpace& space) {
  const std::string who = "--truth " + path;
  Photograph photograph;
  Range range;
  guarded(space.communicator(), who, [&] {
    photograph.image = read_npy(path, space.local()).unsqueeze(0);
    range.include(photograph.image, who);
  });
  const std::string warning = check_range(space.communicator(), who, range, 0);
  if (!warning.empty()) photograph.warnings.push_back(warning);
  return photograph;
}

Measurements read_measurements_of_boxes(const std::string& path,
                                        const std::vector<BoxSpacePtr>& spaces,
                                        const at::TensorOptions& options, double noise,
                                        bool clipped) {
  const std::string who = "--measurements " + path;
  const auto count = static_cast<std::int64_t>(spaces.size());
  Communicator& ranks = spaces.front()->communicator();
  Measurements read;
  Range range;
  guarded(ranks, who, [&] {
    const NpyHeader header = read_npy_header(path);
    Extents expected = spaces.front()->extents();
    expected.insert(expected.begin(), {count, 3});
    if (header.shape != expected || !at::isFloatingType(header.type)) {
      throw error::ShapeMismatch(fmt::format(
          "{}: the file holds {} [{}], expected the {} measurements of this truth: [{}]", who,
          c10::toString(header.type), fmt::join(header.shape, ", "), count,
          fmt::join(expected, ", ")));
    }
    for (std::int64_t i = 0; i < count; ++i) {
      const BoxSpace& space = *spaces[static_cast<std::size_t>(i)];
      Box window = space.local();
      window.axes.insert(window.axes.begin(), {{i, i + 1}, {0, 3}});
      read.held.push_back(read_npy(path, window).to(options));
      range.include(read.held.back(), who);
    }
  });
  read.warning = check_range(ranks, who, range, noise);
  if (read.warning.empty() && clipped) {
    read.warning = warning_if_unclipped(who, range.least, range.largest);
  }
  return read;
}

std::string digest_of_boxes(const BoxSpace& space, const Tensor& own) {
  std::string digests;
  stream_to_root(space, own, [&](const Tensor& slab) { digests += digest_of(slab); });
  const auto count = static_cast<std::int64_t>(digests.size());
  Tensor bytes = at::empty({count}, at::kByte);
  std::copy(digests.begin(), digests.end(), bytes.mutable_data_ptr<std::uint8_t>());
  std::string digest = digest_of(bytes);
  space.communicator().control().broadcast(digest.data(), static_cast<std::int64_t>(digest.size()),
                                           DataType::u8, 0);
  return digest;
}

Photograph begin_photograph(const PhotographFile& file, Communicator& ranks) {
  const std::string who = "--image " + file.path;
  Photograph photograph;
  std::array<std::int64_t, 3> shape{};  // of a picture that is decoded
  guarded(ranks, who, [&] {
    ImageInfo info;
    Extents told = read_tiff_shape(file.path, {.page = file.page}, &info);
    if (!told.empty()) {
      check_channels(who, told[1]);
      photograph = of_shape(told);
      if (info.samples != SampleType::u8) photograph.samples = SampleType::u16;
    } else if (ranks.is_root()) {
      photograph = read_photograph(who, file.path, file.page);
      std::copy_n(photograph.image.sizes().begin() + 1, 3, shape.begin());
    }
  });
  std::array<std::int64_t, 4> found = {shape[0], shape[1], shape[2],
                                       photograph.samples == SampleType::u16 ? 1 : 0};
  ranks.control().broadcast(found.data(), 4, DataType::i64, 0);
  if (photograph.image.defined()) return photograph;
  photograph = of_shape({1, found[0], found[1], found[2]});
  photograph.samples = found[3] == 1 ? SampleType::u16 : SampleType::u8;
  return photograph;
}

Photograph read_photograph_of_boxes(const PhotographFile& file, const BoxSpace& space,
                                    Photograph begun, at::Device device) {
  const std::string who = "--image " + file.path;
  Communicator& ranks = space.communicator();
  const Extents& extents = space.extents();
  std::array<std::int64_t, 1> is_here = {0};  // a picture that the first rank has decoded
  guarded(
      ranks, who, [&] { is_here = {begun.is_shape ? 0 : 1}; }, is_here);
  const bool fits = begun.image.sizes().slice(2) == at::IntArrayRef(extents);
  if (is_here[0] == 0 && fits) {
    ImageInfo info;
    Range range;
    guarded(ranks, who, [&] {
      const ImageReadOptions reading{.page = file.page, .window = space.local()};
      begun.image = read_image(file.path, reading, &info).expand({1, 3, -1, -1}).to(device);
      range.include(begun.image, who);
    });
    const std::string of_range = check_range(ranks, who, range, 0);
    info.smallest = range.least;
    info.largest = range.largest;
    begun.warnings = photograph_warnings(who, of_range, info);
    return begun;
  }
  begun.warnings.clear();  // those of a picture that was decoded are told
  Tensor whole;            // on the first rank
  guarded(ranks, who, [&] {
    if (!ranks.is_root()) return;
    if (begun.is_shape) begun = read_photograph(who, file.path, file.page);
    whole = scaled(begun.image, extents[0], extents[1]).expand({1, 3, -1, -1});
  });
  Extents shape = space.local().extents();
  shape.insert(shape.begin(), {1, 3});
  begun.image = at::empty(shape, at::TensorOptions(device).dtype(at::kFloat));
  std::int64_t channel = 0;
  std::int64_t row = 0;
  stream_from_root(space, begun.image, [&](Tensor& slab) {
    slab.copy_(whole[0][channel].narrow(0, row, slab.size(0)));
    row += slab.size(0);
    if (row < whole.size(2)) return;
    row = 0;
    ++channel;
  });
  return begun;
}

}  // namespace restoration
