#include "problem.hpp"

#include <ATen/Context.h>
#include <ATen/ops/_upsample_bicubic2d_aa.h>
#include <ATen/ops/upsample_bicubic2d.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "ranges.hpp"
#include "scene.hpp"
#include "tessera/core/error.hpp"
#include "tessera/io/image.hpp"
#include "tessera/io/npy.hpp"
#include "tessera/physics/blur.hpp"
#include "tessera/physics/gaussian_kernel.hpp"

using tessera::Tensor;
using tessera::TensorList;

namespace {

/// The extents of an image whose larger side becomes `size`, exactly.
std::vector<std::int64_t> scaled_extents(std::int64_t height, std::int64_t width,
                                         std::int64_t size) {
  const std::int64_t larger = std::max(height, width);
  const auto extent = [&](std::int64_t n) {
    return std::max<std::int64_t>(1,
                                  std::llround(static_cast<double>(n) * static_cast<double>(size) /
                                               static_cast<double>(larger)));
  };
  return {height == larger ? size : extent(height), width == larger ? size : extent(width)};
}

/// Bicubic, antialiased where the image shrinks.
Tensor scaled(const Tensor& image, std::int64_t height, std::int64_t width) {
  if (image.size(2) == height && image.size(3) == width) return image;
  const std::vector<std::int64_t> shape = {height, width};
  const Tensor result = height < image.size(2) || width < image.size(3)
                            ? at::_upsample_bicubic2d_aa(image, shape, false)
                            : at::upsample_bicubic2d(image, shape, false);
  return result.clamp(0, 1);
}

Tensor read_truth(const Options& options) {
  const Tensor array = tessera::read_npy(options.truth);
  if (array.dim() != 3 || array.size(0) != 3 || !array.is_floating_point() || array.numel() == 0) {
    throw tessera::error::ShapeMismatch(
        fmt::format("--truth {}: the file holds {}, expected a floating [3, H, W]", options.truth,
                    tessera::describe(array)));
  }
  return array.unsqueeze(0);
}

void keep(std::vector<std::string>& warnings, const std::string& warning) {
  if (!warning.empty()) warnings.push_back(warning);
}

Source read_photograph(const Options& options) {
  const std::string who = "--image " + options.image;
  tessera::ImageReadOptions reading;
  if (options.page > 0) reading.page = options.page;
  tessera::ImageInfo info;
  Source source{.image = tessera::read_image(options.image, reading, &info)};
  if (source.image.size(1) != 1 && source.image.size(1) != 3) {
    throw tessera::error::ShapeMismatch(
        fmt::format("{}: has {} channels, expected 1 or 3", who, source.image.size(1)));
  }
  if (info.samples != tessera::SampleType::u8) source.samples = tessera::SampleType::u16;
  keep(source.warnings, check_intensities(who, source.image.squeeze(0)));
  const bool says_range = !source.warnings.empty();
  for (const std::string& note : tessera::image_notes(info)) {
    const bool is_about_pages = note.starts_with("holds ");
    if (is_about_pages || !says_range) source.warnings.push_back(fmt::format("{}: {}", who, note));
  }
  return source;
}

bool is_clipped(const Tensor& values) {
  constexpr double rounding = 1e-3;
  return values.min().item<double>() >= -rounding && values.max().item<double>() <= 1 + rounding;
}

}  // namespace

at::ScalarType scalar_type(const Options& options) {
  return options.dtype == "float64" ? at::kDouble : at::kFloat;
}

at::Device device(const Options& options) {
  if (options.device == "cpu") return at::kCPU;
  if (!at::globalContext().hasCUDA()) {
    throw tessera::error::InvalidArgument(
        "--device cuda: no CUDA device is usable here. Either there is none, or this program was "
        "built without "
        "-DTESSERA_CUDA=ON, or CUDA's libraries are not installed beside LibTorch");
  }
  return {at::kCUDA, static_cast<c10::DeviceIndex>(options.gpu)};
}

Source read_source(const Options& options) {
  if (!options.truth.empty()) {
    Source source{.image = read_truth(options)};
    keep(source.warnings, check_intensities("--truth " + options.truth, source.image.squeeze(0)));
    return source;
  }
  return options.image.empty() ? Source{} : read_photograph(options);
}

std::vector<std::int64_t> truth_shape(Options& options, const Source& source) {
  if (!options.truth.empty()) {
    if (!options.image_size_given) {
      options.image_size = std::max(source.image.size(2), source.image.size(3));
    }
    return source.image.sizes().vec();
  }
  if (options.image.empty()) {
    return {1, 3, std::max<std::int64_t>(1, options.image_size * 5 / 8), options.image_size};
  }
  const auto extents =
      scaled_extents(source.image.size(2), source.image.size(3), options.image_size);
  return {1, 3, extents[0], extents[1]};
}

Tensor make_truth(Options& options, const Source& source) {
  const std::vector<std::int64_t> shape = truth_shape(options, source);
  Tensor truth = source.image.defined() ? source.image : synthetic_scene(options.image_size);
  truth = truth.to(scalar_type(options));
  if (options.truth.empty()) truth = scaled(truth, shape[2], shape[3]);
  return truth.expand(shape).to(device(options)).contiguous();
}

std::unique_ptr<tessera::LinearOperator> make_blur(const Options& options, std::int64_t index) {
  const auto size = static_cast<double>(options.image_size);
  const double angle =
      options.num_operators == 1
          ? 0.0
          : 180.0 * static_cast<double>(index) / static_cast<double>(options.num_operators - 1);
  const Tensor kernel = tessera::gaussian_kernel(0.01 * size, 0.005 * size, angle,
                                                 at::TensorOptions(scalar_type(options)));
  auto blur = std::make_unique<tessera::Blur>(kernel, tessera::Padding::circular);
  blur->set_noise(std::make_shared<tessera::GaussianNoise>(
      options.noise_level, options.seed, std::pair{0.0, 1.0}, static_cast<std::uint64_t>(index)));
  return blur;
}

Measurements read_measurements(const Options& options, const std::vector<std::int64_t>& held,
                               const Tensor& truth) {
  const Tensor all = tessera::read_npy(options.measurements);
  const bool ok = all.dim() == 4 && all.is_floating_point() &&
                  all.size(0) == options.num_operators &&
                  all.sizes().slice(1) == truth.sizes().slice(1);
  const std::string who = "--measurements " + options.measurements;
  if (!ok) {
    throw tessera::error::ShapeMismatch(
        fmt::format("{}: the file holds {}, expected {} measurements like the truth: [{}, 3, {}, "
                    "{}]",
                    who, tessera::describe(all), options.num_operators, options.num_operators,
                    truth.size(2), truth.size(3)));
  }
  Measurements result;
  result.warning = check_intensities(who, all, options.noise_level);
  if (result.warning.empty() && options.fidelity == "clipped" && !is_clipped(all)) {
    result.warning = fmt::format(
        "{}: some intensities lie outside 0 to 1, so that they were not clipped as --fidelity "
        "clipped takes them to be; --fidelity l2 fits them better",
        who);
  }
  for (const std::int64_t index : held) {
    result.held.push_back(all.select(0, index).unsqueeze(0).to(truth.options()).contiguous());
  }
  return result;
}
