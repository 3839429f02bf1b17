// SPDX-License-Identifier: BSD-3-Clause
#include "problem.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include "restoration/arrays.hpp"
#include "restoration/backend.hpp"
#include "restoration/photograph.hpp"
#include "restoration/scene.hpp"
#include "tessera/physics/blur.hpp"
#include "tessera/physics/gaussian_kernel.hpp"

using tessera::Tensor;

at::Device device(const Options& options) {
  return restoration::device_of(options.device, options.gpu);
}

Source read_source(const Options& options) {
  if (!options.truth.empty()) return restoration::read_image_array(options.truth);
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
