// SPDX-License-Identifier: BSD-3-Clause
#include "restore/part_reader.hpp"

#include <ATen/ops/aminmax.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <vector>

#include "restore/matrix_market.hpp"
#include "restore/pictures.hpp"
#include "tessera/core/check.hpp"
#include "tessera/core/error.hpp"
#include "tessera/physics/gaussian_kernel.hpp"

namespace restore {

using namespace tessera;

namespace {

constexpr double sum_tolerance = 1e-3;

void check_channels(const std::string& path, const Tensor& part, std::int64_t channels) {
  if (part.size(1) == 1 || part.size(1) == channels) return;
  throw error::ShapeMismatch(fmt::format("{}: has {} channels, expected 1 or the measurement's {}",
                                         path, part.size(1), channels));
}

/// Kernels, of which all axes from the third on are summed; each sums to 1, or is made to.
Tensor checked_kernels(const std::string& path, const Tensor& values, bool normalise) {
  const Tensor kernel = values.to(at::kDouble);
  check_finite(kernel, path, "the file");
  Extents axes;
  for (std::int64_t axis = 2; axis < kernel.dim(); ++axis) axes.push_back(axis);
  const Tensor sums = kernel.sum(axes, /*keepdim=*/true);
  const double least = sums.min().item<double>();
  const double most = sums.max().item<double>();
  if (normalise && !(least > 0)) {
    throw error::InvalidArgument(
        fmt::format("{}: sums to {:.6g}, expected more than zero", path, least));
  }
  if (normalise) return kernel / sums;
  if (std::max(std::abs(least - 1), std::abs(most - 1)) > sum_tolerance) {
    throw error::InvalidArgument(
        fmt::format("{}: the kernel sums to {:.6g}, expected 1; \"normalise: true\" divides it by "
                    "its sum",
                    path, std::abs(least - 1) > sum_tolerance ? least : most));
  }
  return kernel;
}

/// What a file of a mask holds, from 0 to 1.
Tensor checked_mask(const std::string& file, const Picture& picture) {
  check_finite(picture.values, file, "the file");
  Tensor mask = picture.values / picture.white.value_or(1);
  if (mask.numel() == 0) return mask;
  const auto [least, largest] = at::aminmax(mask);
  if (least.item<double>() < 0 || largest.item<double>() > 1) {
    throw error::InvalidArgument(
        fmt::format("{}: a mask reaches from 0, not measured, to 1, this one from {:.6g} to "
                    "{:.6g}",
                    file, least.item<double>(), largest.item<double>()));
  }
  if (picture.white.value_or(1) > 1 && picture.values.max().item<double>() == 1) {
    throw error::InvalidArgument(
        fmt::format("{}: holds integers of 0 and 1, where {:.0f} means measured: give booleans or "
                    "floating numbers",
                    file, *picture.white));
  }
  return mask;
}

}  // namespace

Tensor PartReader::operator()(const BlurStep& step) const {
  if (step.kernel.empty()) {
    std::vector<double> levels = step.gaussian;
    if (levels.size() == 1) levels.assign(static_cast<std::size_t>(spatial), levels.front());
    if (levels.size() != static_cast<std::size_t>(spatial)) {
      throw error::InvalidArgument(
          fmt::format("gaussian: has {} numbers, expected 1 or {}", levels.size(), spatial));
    }
    return gaussian_kernel(levels);
  }
  const Picture picture = read_picture(step.kernel, {.spatial = spatial});
  check_channels(step.kernel, picture.values, channels);
  return checked_kernels(step.kernel, picture.values, step.normalise);
}

Tensor PartReader::operator()(const SpaceVaryingBlurStep& step) const {
  check_is_picture();
  const Tensor stack = read_picture(step.kernels, {.axes = "zyx"}).values[0][0];
  const auto [rows, columns] = step.grid;
  if (stack.size(0) != rows * columns) {
    throw error::ShapeMismatch(fmt::format("{}: holds {} kernels, expected {} x {}, as grid says",
                                           step.kernels, stack.size(0), rows, columns));
  }
  return checked_kernels(step.kernels, stack.unsqueeze(1), step.normalise)
      .view({rows, columns, 1, stack.size(1), stack.size(2)});
}

Tensor PartReader::operator()(const FourierStep& step) const {
  Tensor sampled = mask(step.mask, 1);
  if (sampled.flatten()[0].item<double>() > 0) return sampled;
  throw error::InvalidArgument(
      fmt::format("{}: does not measure the frequency 0, its first value: expected the order of "
                  "numpy.fft.fft2; numpy.fft.ifftshift moves masks and values that have it in "
                  "the middle",
                  step.mask));
}

Tensor PartReader::mask(const std::string& file, std::int64_t most_channels) const {
  const PictureChoice choice{.spatial = spatial};
  const Picture picture = outlines ? outline_of_picture(file, choice) : read_picture(file, choice);
  check_channels(file, picture.values, most_channels);
  if (outlines) return picture.values;
  const Tensor mask = checked_mask(file, picture);
  if (!(mask.max().item<double>() > 0)) {
    throw error::InvalidArgument(fmt::format("{}: the mask is 0 everywhere", file));
  }
  return mask;
}

Tensor PartReader::operator()(const MatrixStep& step) const {
  return read_matrix_market(step.file);
}

Tensor PartReader::check_is_picture() const {
  if (spatial != 2) throw error::InvalidArgument("is for pictures, and the file holds a volume");
  return {};
}

Tensor read_mask_window(const std::string& file, const Box& window) {
  const auto spatial = std::ssize(window.axes);
  return checked_mask(file, read_window(file, {.spatial = spatial}, window));
}

}  // namespace restore
