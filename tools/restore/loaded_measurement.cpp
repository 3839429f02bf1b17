// SPDX-License-Identifier: BSD-3-Clause
#include "restore/loaded_measurement.hpp"

#include <ATen/ops/view_as_real.h>
#include <ATen/ops/where.h>
#include <c10/util/accumulate.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <string>
#include <utility>
#include <variant>

#include "restore/at_key.hpp"
#include "restore/part_reader.hpp"
#include "tessera/core/check.hpp"
#include "tessera/core/error.hpp"

namespace restore {

using namespace tessera;

namespace {

/// From what comes out of a step to what goes into it: extents of the image, and where its frame
/// is.
struct StepBack {
  const Tensor& part;
  LoadedMeasurement& loaded;

  void operator()(const BlurStep& step) const { before_kernel(step.border); }
  void operator()(const SpaceVaryingBlurStep& step) const { before_kernel(step.border); }
  void operator()(const DownSamplingStep& step) const {
    for (Extents* each : {&loaded.image, &loaded.first, &loaded.frame}) {
      for (std::int64_t& extent : *each) extent *= step.factor;
    }
  }
  void operator()(const MaskStep& step) const { check_mask(step.file); }
  void operator()(const FourierStep& step) const { check_mask(step.mask); }
  void operator()(const WarpStep& /*step*/) const {}

  void operator()(const MatrixStep& step) const {
    const std::int64_t measured = loaded.picture.values.numel();
    if (part.size(0) != measured) {
      throw error::ShapeMismatch(
          fmt::format("{}: has {} rows, expected {}, one for each value of the measurement",
                      step.file, part.size(0), measured));
    }
    Extents shape = step.shape;
    if (shape.empty()) {
      const auto side = std::llround(std::sqrt(static_cast<double>(part.size(1))));
      shape = {side, side};
    }
    if (c10::multiply_integers(shape) != part.size(1)) {
      throw error::ShapeMismatch(fmt::format(
          "{}: has {} columns, which are {}: give shape, [rows, columns] of the image", step.file,
          part.size(1),
          step.shape.empty() ? "no square picture" : "not the pixels of " + size_words(shape)));
    }
    begin_with(std::move(shape));
  }

  void operator()(const TomographyStep& step) const {
    const std::size_t rows = loaded.image.size() - 2;
    if (loaded.image[rows] != std::ssize(step.angles)) {
      throw error::ShapeMismatch(
          fmt::format("the file has {} rows, expected {}, a view for each of angles",
                      loaded.image[rows], step.angles.size()));
    }
    const auto side =
        std::max(1LL, std::llround(static_cast<double>(loaded.image.back()) * step.spacing));
    Extents shape = step.shape.empty() ? Extents{side, side} : step.shape;
    if (rows == 1) shape.insert(shape.begin(), loaded.image.front());  // of a stack, the slices
    begin_with(std::move(shape));
  }

  /// The image has another shape than what was measured, and no margin yet.
  void begin_with(Extents shape) const {
    loaded.first.assign(shape.size(), 0);
    loaded.image = loaded.frame = std::move(shape);
  }

  void check_mask(const std::string& file) const {
    if (part.sizes().slice(2) == at::IntArrayRef(loaded.image)) return;
    throw error::ShapeMismatch(fmt::format("{}: the mask has {} pixels, expected {}", file,
                                           size_words(part.sizes().slice(2)),
                                           size_words(loaded.image)));
  }

  /// The last axes of the part are those of the image.
  void before_kernel(Padding border) const {
    if (border != Padding::valid) return;
    const auto spatial = loaded.image.size();
    for (std::size_t d = 0; d < spatial; ++d) {
      const std::int64_t side = part.size(static_cast<std::int64_t>(d) - std::ssize(loaded.image));
      loaded.image[d] += side - 1;
      loaded.first[d] += side - 1 - side / 2;
    }
  }
};

/// The file of a measurement; what has a unit of its own says nothing of the image's samples.
Picture read_measurement(const Measurement& measurement, bool outlines) {
  const bool is_list = is_no_picture(measurement.steps) &&
                       std::holds_alternative<MatrixStep>(measurement.steps.back());
  PictureChoice choice = measurement.choice;
  choice.is_list = is_list;
  choice.is_complex = is_no_picture(measurement.steps) && !is_list;
  Picture picture = outlines ? outline_of_picture(measurement.file, choice)
                             : read_picture(measurement.file, choice);
  if (picture.values.is_complex() != choice.is_complex) {
    throw error::InvalidArgument(fmt::format(
        "{}: holds real numbers, expected complex ones, Fourier coefficients", measurement.file));
  }
  if (is_list) picture.values = picture.values.reshape({1, -1});
  if (!has_own_unit(measurement.steps)) return picture;
  return {.values = picture.values, .samples = std::max(picture.samples, Samples::f32)};
}

/// What PartReader needs to know of the images of a measurement.
PartReader reader_for(const Measurement& measurement, const Tensor& values) {
  if (values.dim() > 2) return {values.size(1), values.dim() - 2, values.is_meta()};
  const auto& shape = std::get<MatrixStep>(measurement.steps.back()).shape;
  return {1, shape.empty() ? 2 : std::ssize(shape)};
}

void check_values(const Measurement& measurement, const Tensor& values) {
  if (values.numel() == 0) return;
  check_finite(values, measurement.file, "the file");
  const double smallest = real_numbers(values).min().item<double>();
  if (measurement.noise.kind != NoiseKind::poisson || !(smallest < 0)) return;
  throw error::InvalidArgument(
      fmt::format("{}: has values down to {:.6g}, and counts (noise poisson) are never negative; a "
                  "dark level that was subtracted is to be added again and given as background",
                  measurement.file, smallest));
}

/// What is hidden becomes 0.
void settle_values(const Measurement& measurement, LoadedMeasurement& loaded) {
  Tensor& values = loaded.picture.values;
  const Tensor mask = last_mask(measurement, loaded);
  if (mask.defined()) values = at::where(mask > 0, values, 0.0).to(values.scalar_type());
  at_key(measurement.where, [&] { check_values(measurement, values); });
}

/// All but that.
LoadedMeasurement read_files(const Measurement& measurement, bool outlines) {
  LoadedMeasurement loaded;
  const Tensor& values = loaded.picture.values;
  at_key(measurement.where, [&] { loaded.picture = read_measurement(measurement, outlines); });
  const PartReader reader = reader_for(measurement, values);
  for (const Step& step : measurement.steps) {
    loaded.parts.push_back(at_key(where_of(step), [&] { return std::visit(reader, step); }));
  }
  loaded.inputs.resize(measurement.steps.size());
  loaded.image = loaded.frame = values.sizes().slice(2).vec();
  loaded.first.assign(loaded.image.size(), 0);
  for (std::size_t i = measurement.steps.size(); i-- > 0;) {
    const Step& step = measurement.steps[i];
    at_key(where_of(step), [&] { std::visit(StepBack{loaded.parts[i], loaded}, step); });
    loaded.inputs[i] = loaded.image;
  }
  return loaded;
}

}  // namespace

Tensor last_mask(const Measurement& measurement, const LoadedMeasurement& loaded) {
  const bool is_last = !measurement.steps.empty() && is_mask(measurement.steps.back());
  return is_last ? loaded.parts.back() : Tensor();
}

Tensor real_numbers(const Tensor& values) {
  return values.is_complex() ? at::view_as_real(values) : values;
}

LoadedMeasurement load(const Measurement& measurement) {
  LoadedMeasurement loaded = read_files(measurement, /*outlines=*/false);
  settle_values(measurement, loaded);
  return loaded;
}

LoadedMeasurement load_outline(const Measurement& measurement) {
  return read_files(measurement, /*outlines=*/true);
}

void load_part(const Measurement& measurement, LoadedMeasurement& loaded) {
  at_key(measurement.where, [&] {
    loaded.picture = read_window(measurement.file, measurement.choice, loaded.boxes->local());
  });
  settle_values(measurement, loaded);
}

}  // namespace restore
