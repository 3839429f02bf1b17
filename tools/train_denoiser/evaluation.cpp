// SPDX-License-Identifier: BSD-3-Clause
#include "evaluation.hpp"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/ops/randn.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <limits>
#include <optional>

#include "photographs.hpp"
#include "tessera/denoiser/total_variation.hpp"
#include "tessera/io/image.hpp"
#include "tessera/metric/psnr.hpp"

using tessera::Tensor;

namespace {

Tensor noisy(const Tensor& image, double level) {
  at::Generator generator = at::detail::createCPUGenerator(1);
  return image + at::randn(image.sizes(), std::optional<at::Generator>(generator),
                           at::TensorOptions().dtype(at::kFloat)) *
                     (level / 255);
}

}  // namespace

std::vector<Validation> read_validation(const std::vector<std::string>& files, bool as_grey) {
  std::vector<Validation> photographs;
  for (const std::string& file : files) {
    Tensor image = tessera::read_image(file);
    if (image.size(1) == 1) image = image.expand({1, 3, image.size(2), image.size(3)}).contiguous();
    if (as_grey) image = grey(image);
    photographs.push_back({std::filesystem::path(file).stem().string(), image});
  }
  return photographs;
}

std::vector<double> psnr_per_level(const tessera::Denoiser& denoiser, const Validation& photograph,
                                   const std::vector<double>& levels) {
  const c10::InferenceMode no_gradients;
  std::vector<double> result;
  for (const double level : levels) {
    const Tensor denoised = denoiser.denoise(noisy(photograph.image, level), level / 255);
    result.push_back(tessera::psnr(denoised, photograph.image).item<double>());
  }
  return result;
}

std::vector<double> best_total_variation(const Validation& photograph,
                                         const std::vector<double>& levels) {
  constexpr std::array weights{0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2};
  std::vector<double> best(levels.size(), -std::numeric_limits<double>::infinity());
  for (const double weight : weights) {
    tessera::TotalVariationOptions options;
    options.weight_per_sigma = weight;
    const std::vector<double> values =
        psnr_per_level(tessera::TotalVariation(options), photograph, levels);
    for (std::size_t i = 0; i < values.size(); ++i) best[i] = std::max(best[i], values[i]);
  }
  return best;
}

std::string to_line(const std::string& name, const std::vector<double>& values) {
  std::string line = fmt::format("{:<24}", name);
  for (const double value : values) line += fmt::format("{:8.2f}", value);
  return line;
}
