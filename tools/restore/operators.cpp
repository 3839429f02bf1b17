// SPDX-License-Identifier: BSD-3-Clause
#include "restore/operators.hpp"

#include <ATen/ops/aminmax.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/view_as_real.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>
#include <c10/util/accumulate.h>
#include <fmt/format.h>

#include <Eigen/SparseCore>
#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <memory>
#include <numbers>

#include "restore/matrix_market.hpp"
#include "tessera/core/check.hpp"
#include "tessera/denoiser/estimate_noise.hpp"
#include "tessera/physics/algebra.hpp"
#include "tessera/physics/blur.hpp"
#include "tessera/physics/downsampling.hpp"
#include "tessera/physics/fourier_sampling.hpp"
#include "tessera/physics/gaussian_kernel.hpp"
#include "tessera/physics/masking.hpp"
#include "tessera/physics/matrix_physics.hpp"
#include "tessera/physics/space_varying_blur.hpp"
#include "tessera/physics/translation.hpp"
#include "tessera/physics/warp.hpp"
#include "tessera/tomography/tomography.hpp"

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
  return mask;
}

/// Reads the files of steps.
struct PartReader {
  std::int64_t channels;
  std::int64_t spatial;
  bool outlines = false;  ///< of masks only how large they are

  Tensor operator()(const BlurStep& step) const {
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

  /// (rows, columns, 1, h, w).
  Tensor operator()(const SpaceVaryingBlurStep& step) const {
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

  Tensor operator()(const MaskStep& step) const { return mask(step.file, channels); }

  /// Of one channel, with the frequency 0, of which a restoration takes its mean.
  Tensor operator()(const FourierStep& step) const {
    Tensor sampled = mask(step.mask, 1);
    if (sampled.flatten()[0].item<double>() > 0) return sampled;
    throw error::InvalidArgument(
        fmt::format("{}: does not measure the frequency 0, its first value: expected the order of "
                    "numpy.fft.fft2; numpy.fft.ifftshift moves masks and values that have it in "
                    "the middle",
                    step.mask));
  }

  Tensor mask(const std::string& file, std::int64_t most_channels) const {
    const PictureChoice choice{.spatial = spatial};
    const Picture picture =
        outlines ? outline_of_picture(file, choice) : read_picture(file, choice);
    check_channels(file, picture.values, most_channels);
    if (outlines) return picture.values;
    const Tensor mask = checked_mask(file, picture);
    if (!(mask.max().item<double>() > 0)) {
      throw error::InvalidArgument(fmt::format("{}: the mask is 0 everywhere", file));
    }
    return mask;
  }

  Tensor operator()(const DownSamplingStep& /*step*/) const { return check_is_picture(); }
  Tensor operator()(const WarpStep& /*step*/) const { return check_is_picture(); }
  Tensor operator()(const TomographyStep& /*step*/) const { return check_is_picture(); }
  Tensor operator()(const MatrixStep& step) const { return read_matrix_market(step.file); }

  Tensor check_is_picture() const {
    if (spatial != 2) throw error::InvalidArgument("is for pictures, and the file holds a volume");
    return {};
  }
};

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
    if (loaded.image[0] != std::ssize(step.angles)) {
      throw error::ShapeMismatch(
          fmt::format("the file has {} rows, expected {}, a view for each of angles",
                      loaded.image[0], step.angles.size()));
    }
    const auto side =
        std::max(1LL, std::llround(static_cast<double>(loaded.image[1]) * step.spacing));
    begin_with(step.shape.empty() ? Extents{side, side} : step.shape);
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

/// The mean of the factor x factor pixels from a pixel on. The centre of 2 factor - 1 elements is
/// the last of the first `factor`, which see the pixel and those after it.
Tensor mean_of_pixels(std::int64_t factor) {
  Tensor kernel = at::zeros({1, 1, 2 * factor - 1, 2 * factor - 1}, at::kDouble);
  kernel.narrow(2, 0, factor).narrow(3, 0, factor).fill_(1 / static_cast<double>(factor * factor));
  return kernel;
}

/// Parallel rays as ScanGeometry::parallel has them, at any angles.
ScanGeometry scan_of(const TomographyStep& step, std::int64_t cells) {
  Tensor vectors = at::zeros({std::ssize(step.angles), 6}, at::kDouble);
  auto view = vectors.accessor<double, 2>();
  for (std::int64_t k = 0; k < vectors.size(0); ++k) {
    const double angle = step.angles[static_cast<std::size_t>(k)] * std::numbers::pi / 180;
    view[k][0] = -std::sin(angle);
    view[k][1] = std::cos(angle);
    view[k][4] = step.spacing * std::cos(angle);
    view[k][5] = step.spacing * std::sin(angle);
  }
  return ScanGeometry::from_vectors(vectors, {cells}, /*parallel_rays=*/true);
}

using SparseMatrix = Eigen::SparseMatrix<double, Eigen::RowMajor, std::int64_t>;

SparseMatrix sparse_matrix(const Tensor& matrix) {
  const Tensor places = matrix._indices();
  const Tensor values = matrix._values();
  const auto place = places.accessor<std::int64_t, 2>();
  const auto value = values.accessor<double, 1>();
  std::vector<Eigen::Triplet<double, std::int64_t>> entries;
  entries.reserve(static_cast<std::size_t>(value.size(0)));
  for (std::int64_t i = 0; i < value.size(0); ++i) {
    entries.emplace_back(place[0][i], place[1][i], value[i]);
  }
  SparseMatrix sparse(matrix.size(0), matrix.size(1));
  sparse.setFromTriplets(entries.begin(), entries.end());
  return sparse;
}

LinearPhysicsPtr in_turn(LinearPhysicsPtr outer, const LinearPhysicsPtr& inner) {
  return inner ? compose(std::move(outer), inner) : outer;
}

/// The motion of a step after `before`, which may be null, as the result is.
LinearPhysicsPtr motion_before(const DownSamplingStep& step, const LinearPhysicsPtr& before) {
  const auto factor = static_cast<double>(step.factor);
  const auto [down, right] = step.shift;
  if (down == 0 && right == 0) return before;
  return in_turn(std::make_shared<Translation>(std::vector{factor * down, factor * right}), before);
}

/// The first step that is no blur, if it moves the image: blurs and motions change places, and what
/// a motion brings in from the opposite side is best left in the margin of a valid blur.
const DownSamplingStep* first_motion(const std::vector<Step>& steps) {
  const auto found = std::find_if(steps.begin(), steps.end(), [](const Step& step) {
    return !std::holds_alternative<BlurStep>(step);
  });
  return found == steps.end() ? nullptr : std::get_if<DownSamplingStep>(&*found);
}

/// Makes the operator of a step act after `before`, which may be null.
struct StepMaker {
  const Tensor& part;
  const Extents& from;  ///< spatial extents that it acts on,
  const Extents& to;    ///< and of its result
  LinearPhysicsPtr before;
  bool is_moved;  ///< already, of a step that moves

  LinearPhysicsPtr operator()(const BlurStep& step) const {
    return in_turn(std::make_shared<Blur>(part, step.border), before);
  }
  LinearPhysicsPtr operator()(const SpaceVaryingBlurStep& step) const {
    return in_turn(std::make_shared<SpaceVaryingBlur>(part, BlurOptions{.padding = step.border}),
                   before);
  }
  LinearPhysicsPtr operator()(const DownSamplingStep& step) const {
    // Means of blocks look at no border.
    return in_turn(std::make_shared<Downsampling>(step.factor, kernel_of(step),
                                                  BlurOptions{.padding = Padding::circular}),
                   is_moved ? before : motion_before(step, before));
  }
  LinearPhysicsPtr operator()(const MaskStep& /*step*/) const {
    return in_turn(std::make_shared<Masking>(part), before);
  }
  LinearPhysicsPtr operator()(const WarpStep& step) const {
    const Tensor matrix = at::tensor(at::ArrayRef<double>(step.matrix), at::kDouble).view({2, 3});
    return in_turn(std::make_shared<Warp>(matrix), before);
  }
  LinearPhysicsPtr operator()(const MatrixStep& /*step*/) const {
    Extents shape = {1};
    shape.insert(shape.end(), from.begin(), from.end());
    return in_turn(std::make_shared<MatrixPhysics<SparseMatrix>>(sparse_matrix(part), shape),
                   before);
  }
  LinearPhysicsPtr operator()(const TomographyStep& step) const {
    return in_turn(std::make_shared<Tomography>(from, /*voxel=*/1, scan_of(step, to[1])), before);
  }
  LinearPhysicsPtr operator()(const FourierStep& /*step*/) const {
    return in_turn(std::make_shared<FourierSampling>(part[0][0]), before);
  }
};

bool is_mask(const Step& step) {
  return std::holds_alternative<MaskStep>(step) || std::holds_alternative<FourierStep>(step);
}

bool has_mask(const Measurement& measurement) {
  return std::any_of(measurement.steps.begin(), measurement.steps.end(),
                     [](const Step& step) { return is_mask(step); });
}

/// Both parts of complex values.
Tensor real_numbers(const Tensor& values) {
  return values.is_complex() ? at::view_as_real(values) : values;
}

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

const std::string& where_of(const Step& step) {
  return std::visit([](const auto& each) -> const std::string& { return each.where; }, step);
}

Tensor last_mask(const Measurement& measurement, const LoadedMeasurement& loaded) {
  const bool is_last = !measurement.steps.empty() && is_mask(measurement.steps.back());
  return is_last ? loaded.parts.back() : Tensor();
}

Tensor kernel_of(const DownSamplingStep& step) {
  return step.averages ? mean_of_pixels(step.factor) : at::ones({1, 1, 1, 1}, at::kDouble);
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

Tensor read_mask_window(const std::string& file, const Box& window) {
  const auto spatial = std::ssize(window.axes);
  return checked_mask(file, read_window(file, {.spatial = spatial}, window));
}

Facts facts_of(const Measurement& measurement, const LoadedMeasurement& loaded) {
  const Tensor& values = loaded.picture.values;
  const Tensor numbers = real_numbers(values);
  constexpr double infinity = std::numeric_limits<double>::infinity();
  const bool is_empty = numbers.numel() == 0;
  const bool is_list = values.dim() == 2;
  Extents extents = loaded.boxes ? loaded.boxes->extents() : values.sizes().slice(2).vec();
  if (is_list) {  // one row
    extents.assign(loaded.image.size(), 1);
    extents.back() = values.numel();
  }
  Facts facts{.extents = extents,
              .image = loaded.image,
              .first = loaded.first,
              .frame = loaded.frame,
              .channels = is_list ? 1 : values.size(1),
              .samples = loaded.picture.samples,
              .white = loaded.picture.white.value_or(0),
              .smallest = is_empty ? infinity : numbers.min().item<double>(),
              .largest = is_empty ? -infinity : numbers.max().item<double>(),
              .noise = -1,
              .values = static_cast<double>(numbers.numel())};
  const Tensor mask = last_mask(measurement, loaded);
  if (mask.defined()) {
    const double parts = values.is_complex() ? 2 : 1;
    facts.values = parts * (mask > 0).expand(values.sizes()).to(at::kDouble).sum().item<double>();
  }
  if (facts.values > 0) facts.mean = numbers.sum(at::kDouble).item<double>() / facts.values;
  const bool is_wide = *std::min_element(facts.extents.begin(), facts.extents.end()) > 1;
  if (is_wide && !has_mask(measurement)) {
    facts.noise = loaded.boxes ? 0 : estimate_noise(values).item<double>();
    if (measurement.noise.kind == NoiseKind::poisson && facts.largest > 0 && !loaded.boxes) {
      facts.per_count = estimate_gain(values).item<double>();
      facts.dark = estimate_background(values).item<double>();
    }
  }
  if (has_own_unit(measurement.steps)) {
    Extents shape = {1, facts.channels};
    shape.insert(shape.end(), loaded.image.begin(), loaded.image.end());
    const Tensor image = at::zeros(shape, at::kDouble);
    const LinearPhysicsPtr physics = make_operator(measurement, loaded, image);
    facts.gain = std::sqrt(physics->norm_squared(image));
    if (!(facts.gain > 0)) {
      throw error::InvalidArgument(measurement.where + "the operator makes zeros of all images");
    }
  }
  return facts;
}

LinearPhysicsPtr make_operator(const Measurement& measurement, const LoadedMeasurement& loaded,
                               const Tensor& image) {
  const DownSamplingStep* const first = first_motion(measurement.steps);
  LinearPhysicsPtr made = first != nullptr ? motion_before(*first, nullptr) : nullptr;
  for (std::size_t i = 0; i < measurement.steps.size(); ++i) {
    const Step& step = measurement.steps[i];
    const bool is_moved = first != nullptr && std::get_if<DownSamplingStep>(&step) == first;
    const Extents result = i + 1 < measurement.steps.size()
                               ? loaded.inputs[i + 1]
                               : loaded.picture.values.sizes().slice(2).vec();
    made = at_key(where_of(step), [&] {
      return std::visit(StepMaker{loaded.parts[i], loaded.inputs[i], result, made, is_moved}, step);
    });
  }
  if (!made) {
    // A blur by one pixel: its inverse is known in Fourier space, as that of other blurs.
    const Extents one(static_cast<std::size_t>(image.dim()), 1);
    made = std::make_shared<Blur>(at::ones(one, at::kDouble), Padding::circular);
  }
  at_key(measurement.where, [&] {
    const Tensor tried = made->forward(at::zeros(image.sizes(), image.options())).front();
    if (tried.sizes() == loaded.picture.values.sizes()) return;
    throw error::ShapeMismatch(
        fmt::format("{}: its operator measures {} of the image {}, expected {}", measurement.file,
                    to_string(tried.sizes()), to_string(image.sizes()),
                    to_string(loaded.picture.values.sizes())));
  });
  return made;
}

}  // namespace restore
