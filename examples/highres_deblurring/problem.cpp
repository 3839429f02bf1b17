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
#include "tessera/physics/downsampling.hpp"
#include "tessera/physics/gaussian_kernel.hpp"
#include "tessera/physics/poisson_noise.hpp"
#include "tessera/physics/salt_and_pepper_noise.hpp"

using tessera::Tensor;

namespace {

/// The largest extent up to `extent` that frames of lower resolution can have pixels for.
std::int64_t whole_pixels(const Options& options, std::int64_t extent) {
  if (options.problem != ProblemKind::multiframe_superres) return extent;
  return std::max<std::int64_t>(1, extent / options.factor) * options.factor;
}

}  // namespace

tessera::NoisePtr make_noise(const Options& options, std::int64_t index) {
  const auto stream = static_cast<std::uint64_t>(index);
  constexpr std::pair range = {0.0, 1.0};
  if (options.noise == NoiseKind::salt_and_pepper) {
    return std::make_shared<tessera::SaltAndPepperNoise>(tessera::SaltAndPepperNoiseOptions{
        .fraction = options.noise_level, .seed = options.seed, .stream = stream});
  }
  if (options.noise == NoiseKind::poisson && options.noise_level > 0) {
    return std::make_shared<tessera::PoissonNoise>(
        tessera::PoissonNoiseOptions{.gain = options.noise_level * options.noise_level,
                                     .range = range,
                                     .seed = options.seed,
                                     .stream = stream});
  }
  return std::make_shared<tessera::GaussianNoise>(options.noise_level, options.seed, range, stream);
}

Tensor make_kernel(const Options& options, std::int64_t index, at::TensorOptions type) {
  if (options.problem == ProblemKind::multiframe_superres) {
    const Tensor taps = tessera::gaussian_kernel(1, 1).narrow(2, 2, 5).narrow(3, 2, 5);
    return (taps / taps.sum()).to(type);
  }
  const auto size = static_cast<double>(options.image_size);
  const double angle =
      options.num_operators == 1
          ? 0.0
          : 180.0 * static_cast<double>(index) / static_cast<double>(options.num_operators - 1);
  return tessera::gaussian_kernel(0.01 * size, 0.005 * size, angle, type);
}

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
  const auto extents = options.image.empty()
                           ? restoration::scene_extents(options.image_size)
                           : restoration::scaled_extents(source.image.size(2), source.image.size(3),
                                                         options.image_size);
  return {1, 3, whole_pixels(options, extents[0]), whole_pixels(options, extents[1])};
}

Tensor make_truth(Options& options, const Source& source) {
  const std::vector<std::int64_t> shape = truth_shape(options, source);
  Tensor truth =
      source.image.defined() ? source.image : restoration::synthetic_scene(options.image_size);
  truth = truth.to(options.dtype);
  if (options.truth.empty()) truth = restoration::scaled(truth, shape[2], shape[3]);
  return truth.expand(shape).to(device(options)).contiguous();
}

std::unique_ptr<tessera::LinearOperator> make_operator(const Options& options, std::int64_t index) {
  const Tensor kernel = make_kernel(options, index, options.dtype);
  const tessera::BlurOptions blur{.padding = options.border};
  std::unique_ptr<tessera::LinearOperator> made;
  if (options.problem == ProblemKind::multiframe_superres) {
    made = std::make_unique<tessera::Downsampling>(options.factor, kernel, blur);
  } else {
    made = std::make_unique<tessera::Blur>(kernel, blur);
  }
  made->set_noise(make_noise(options, index));
  return made;
}
