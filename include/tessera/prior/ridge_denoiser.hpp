// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/ops/cat.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>

#include "tessera/core/error.hpp"
#include "tessera/core/state_dict.hpp"
#include "tessera/core/text.hpp"
#include "tessera/denoiser/denoiser.hpp"
#include "tessera/prior/ridge_prior.hpp"

namespace tessera {

/// Denoising by a RidgePrior: denoise(x, sigma) minimises 0.5 ||u - x||^2 + g(u; sigma), the
/// proximal operator of the prior of that level. Unlike a network it is one of a known function,
/// so plug-and-play iterations with a fixed level minimise something.
///
/// Levels are a number or one per image; a map is error::ShapeMismatch. Level 0 changes nothing.
class RidgeDenoiser : public Denoiser {
 public:
  /// The weights of RidgePrior; throws what it throws, and error::InvalidArgument unless
  /// weak_convexity() < 1, without which there is no unique minimiser.
  explicit RidgeDenoiser(const StateDict& weights, RidgeOptions options = {})
      : prior_(weights, 1.0, options) {
    if (prior_.weak_convexity() >= 1) {
      throw error::InvalidArgument(
          formatted("RidgeDenoiser: the weak convexity of the prior is {}, expected less than 1",
                    prior_.weak_convexity()));
    }
  }

  std::string name() const override { return "ridge"; }
  std::int64_t minimum_extent() const override { return prior_.reach() + 1; }
  std::optional<double> memory_estimate(at::IntArrayRef shape) const override {
    double elements = 1;
    for (const std::int64_t extent : shape.slice(1)) elements *= static_cast<double>(extent);
    return 8 * elements * static_cast<double>(prior_.filter_count());  // one image at a time
  }
  std::vector<std::int64_t> extended_extents(at::IntArrayRef spatial) const override {
    std::vector<std::int64_t> extents = spatial.vec();
    for (std::int64_t& extent : extents) extent = std::max(extent, minimum_extent());
    return extents;
  }
  const RidgePrior& prior() const { return prior_; }

 private:
  void do_check(const Tensor& x, const std::string& who) const override {
    if (spatial_dimensions(x) == prior_.dimensions()) return;
    throw error::ShapeMismatch(formatted("{}: x is {}, expected {} spatial dimensions", who,
                                         describe(x), prior_.dimensions()));
  }

  Tensor do_denoise(const Tensor& x, const NoiseLevel& sigma) const override {
    if (sigma.is_map()) {
      throw error::ShapeMismatch(
          formatted("{}.denoise: the level is a map, expected a number or one per image", name()));
    }
    if (sigma.is_number()) return at_level(x, sigma.number());
    const Tensor levels = sigma.broadcastable(x).detach().to(at::kCPU, at::kDouble).flatten();
    TensorList results;
    for (std::int64_t image = 0; image < x.size(0); ++image) {
      results.push_back(at_level(x.narrow(0, image, 1), levels[image].item<double>()));
    }
    return at::cat(results, 0);
  }

  Tensor at_level(const Tensor& x, double sigma) const {
    return sigma > 0 ? prior_.at_level(sigma).prox(x, 1.0) : x.clone();
  }

  RidgePrior prior_;
};

}  // namespace tessera
