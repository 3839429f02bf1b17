// SPDX-License-Identifier: BSD-3-Clause
#include "problem.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

#include "restoration/backend.hpp"
#include "restoration/photograph.hpp"
#include "restoration/scene.hpp"
#include "tessera/core/error.hpp"
#include "tessera/io/intensities.hpp"
#include "tessera/io/npy.hpp"
#include "tessera/physics/blur.hpp"
#include "tessera/physics/gaussian_kernel.hpp"

using tessera::Tensor;
using tessera::TensorList;

namespace {

Tensor read_truth(const Options& options) {
  const Tensor array = tessera::read_npy(options.truth);
  if (array.dim() != 3 || array.size(0) != 3 || !array.is_floating_point() || array.numel() == 0) {
    throw tessera::error::ShapeMismatch(
        fmt::format("--truth {}: the file holds {}, expected a floating [3, H, W]", options.truth,
                    tessera::describe(array)));
  }
  return array.unsqueeze(0);
}

bool is_clipped(const Tensor& values) {
  constexpr double rounding = 1e-3;
  return values.min().item<double>() >= -rounding && values.max().item<double>() <= 1 + rounding;
}

}  // namespace

at::Device device(const Options& options) {
  return restoration::device_of(options.device, options.gpu);
}

Source read_source(const Options& options) {
  if (!options.truth.empty()) {
    Source source{.image = read_truth(options)};
    const std::string warning =
        tessera::check_intensities("--truth " + options.truth, source.image.squeeze(0));
    if (!warning.empty()) source.warnings.push_back(warning);
    return source;
  }
  if (options.image.empty()) return {};
  return restoration::read_photograph("--image " + options.image, options.image, options.page);
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
      restoration::scaled_extents(source.image.size(2), source.image.size(3), options.image_size);
  return {1, 3, extents[0], extents[1]};
}

Tensor make_truth(Options& options, const Source& source) {
  const std::vector<std::int64_t> shape = truth_shape(options, source);
  Tensor truth =
      source.image.defined() ? source.image : restoration::synthetic_scene(options.image_size);
  truth = truth.to(options.dtype);
  if (options.truth.empty()) truth = restoration::scaled(truth, shape[2], shape[3]);
  return truth.expand(shape).to(device(options)).contiguous();
}

std::unique_ptr<tessera::LinearOperator> make_blur(const Options& options, std::int64_t index) {
  const auto size = static_cast<double>(options.image_size);
  const double angle =
      options.num_operators == 1
          ? 0.0
          : 180.0 * static_cast<double>(index) / static_cast<double>(options.num_operators - 1);
  const Tensor kernel =
      tessera::gaussian_kernel(0.01 * size, 0.005 * size, angle, at::TensorOptions(options.dtype));
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
  result.warning = tessera::check_intensities(who, all, options.noise_level);
  if (result.warning.empty() && options.fidelity == FidelityKind::clipped && !is_clipped(all)) {
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
