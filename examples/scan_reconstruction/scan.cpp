// SPDX-License-Identifier: BSD-3-Clause
#include "scan.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "phantoms.hpp"
#include "restoration/photograph.hpp"
#include "scans.hpp"
#include "tessera/core/error.hpp"
#include "tessera/io/intensities.hpp"
#include "tessera/io/npy.hpp"
#include "tessera/physics/noise.hpp"

using namespace tessera;

namespace {

Tensor read_truth(const Options& options) {
  const Tensor array = read_npy(options.truth);
  const std::int64_t dimensions = options.is_volume() ? 3 : 2;
  const std::string who = fmt::format("--truth {}", options.truth);
  if (array.dim() != dimensions || !array.is_floating_point() || array.numel() == 0) {
    throw error::ShapeMismatch(fmt::format("{}: the file holds {}, expected a floating {}", who,
                                           describe(array),
                                           options.is_volume() ? "[D, H, W]" : "[H, W]"));
  }
  check_intensities(who, array);
  return array.unsqueeze(0).unsqueeze(0);
}

Tensor read_picture(const Options& options) {
  const auto photograph =
      restoration::read_photograph("--image " + options.image, options.image, std::nullopt);
  const auto extents = restoration::scaled_extents(photograph.image.size(2),
                                                   photograph.image.size(3), options.image_size);
  const Tensor scaled =
      restoration::scaled(photograph.image.to(at::kDouble), extents[0], extents[1]);
  if (scaled.size(1) != 3) return scaled.narrow(1, 0, 1);
  return 0.299 * scaled.narrow(1, 0, 1) + 0.587 * scaled.narrow(1, 1, 1) +
         0.114 * scaled.narrow(1, 2, 1);
}

}  // namespace

std::unique_ptr<LinearOperator> Scan::part(std::int64_t index) const {
  auto made = make_part(index);
  made->set_noise(std::make_shared<GaussianNoise>(options_.noise_level, options_.seed, range(),
                                                  static_cast<std::uint64_t>(index)));
  return made;
}

std::unique_ptr<Scan> make_scan(const Options& options, at::IntArrayRef spatial) {
  if (options.problem == ProblemKind::mri) return make_mri_scan(options, spatial);
  if (options.problem == ProblemKind::radio) return make_radio_scan(options, spatial);
  if (options.problem == ProblemKind::noisy_volume) return make_copies_scan(options);
  return make_tomography_scan(options, spatial);
}

Tensor make_truth(Options& options) {
  Tensor truth;
  if (!options.truth.empty()) {
    truth = read_truth(options);
  } else if (!options.image.empty()) {
    truth = read_picture(options);
  } else if (options.problem == ProblemKind::radio) {
    truth = sky_phantom(options.image_size, options.seed);
  } else if (options.problem == ProblemKind::noisy_volume) {
    truth = ball_phantom(options.image_size);
  } else {
    truth = head_phantom(options.image_size, options.is_volume() ? 3 : 2);
  }
  options.image_size = *std::max_element(truth.sizes().begin() + 2, truth.sizes().end());
  return truth;
}
