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
  return {.image = at::zeros({1, 1, 1, 1}).expand({1, 3, shape[1], shape[2]})};
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
                                        const at::TensorOptions& options, double noise) {
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
  read.is_clipped = lies_in_unit_range(range.least, range.largest);
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

Photograph at_root(Communicator& ranks, const std::function<Photograph()>& read) {
  Photograph photograph;
  std::array<std::int64_t, 4> found{};
  guarded(ranks, "at_root", [&] {
    if (!ranks.is_root()) return;
    photograph = read();
    const Tensor& image = photograph.image;
    found = {image.size(1), image.size(2), image.size(3),
             photograph.samples == SampleType::u16 ? 1 : 0};
  });
  ranks.control().broadcast(found.data(), 4, DataType::i64, 0);
  if (ranks.is_root()) return photograph;
  photograph.image = at::zeros({1, 1, 1, 1}).expand({1, found[0], found[1], found[2]});
  photograph.samples = found[3] == 1 ? SampleType::u16 : SampleType::u8;
  return photograph;
}

Tensor boxes_from_root(const BoxSpace& space, const std::function<Tensor()>& make,
                       at::Device device) {
  Tensor whole;
  guarded(space.communicator(), "boxes_from_root", [&] {
    if (space.communicator().is_root()) whole = make().expand({1, 3, -1, -1});
  });
  Extents shape = space.local().extents();
  shape.insert(shape.begin(), {1, 3});
  Tensor own = at::empty(shape, at::TensorOptions(device).dtype(at::kFloat));
  std::int64_t channel = 0;
  std::int64_t row = 0;
  stream_from_root(space, own, [&](Tensor& slab) {
    slab.copy_(whole[0][channel].narrow(0, row, slab.size(0)));
    row += slab.size(0);
    if (row < whole.size(2)) return;
    row = 0;
    ++channel;
  });
  return own;
}

}  // namespace restoration
