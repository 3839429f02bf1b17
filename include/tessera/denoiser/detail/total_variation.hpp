// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>

#include "tessera/core/check.hpp"
#include "tessera/core/error.hpp"
#include "tessera/core/text.hpp"
#include "tessera/denoiser/detail/total_variation_dual.hpp"
#include "tessera/denoiser/total_variation.hpp"

namespace tessera {

namespace detail {

inline constexpr std::int64_t steps_between_checks = 10;

struct Solved {
  std::int64_t iterations = 0;
  double relative_gap = 0;
};

/// Minimises for one image (C, spatial...), into `image`.
inline Solved solve_one(const Tensor& z, const Tensor& weight, const TotalVariationOptions& options,
                        Tensor& image) {
  TotalVariationDual dual(z, weight, options.channels);
  Solved solved;
  while (true) {
    const auto [value, gap] = dual.objective();
    solved.relative_gap = value == 0 ? 0 : gap / value;
    if (!(solved.relative_gap > options.relative_gap) ||
        solved.iterations == options.max_iterations)
      break;
    const std::int64_t steps =
        std::min(steps_between_checks, options.max_iterations - solved.iterations);
    for (std::int64_t i = 0; i < steps; ++i) dual.step();
    solved.iterations += steps;
  }
  image.copy_(dual.primal());
  return solved;
}

}  // namespace detail

inline TotalVariation::TotalVariation(TotalVariationOptions options) : options_(options) {
  check_not_negative(options.weight_per_sigma, "TotalVariation", "weight_per_sigma");
  check_not_negative(options.relative_gap, "TotalVariation", "relative_gap");
  if (options.max_iterations < 1) {
    throw error::InvalidArgument(formatted(
        "TotalVariation: max_iterations is {}, expected at least 1", options.max_iterations));
  }
}

// Three fields of one image, three images beside the result.
inline std::optional<double> TotalVariation::memory_estimate(at::IntArrayRef shape) const {
  if (shape.size() < 3) return std::nullopt;
  double elements = 1;
  for (const std::int64_t extent : shape.slice(1)) elements *= static_cast<double>(extent);
  const double directions = static_cast<double>(shape.size()) - 2;
  return elements * (3 * directions + 3) + elements * static_cast<double>(shape[0]);
}

inline TotalVariationSolution TotalVariation::solve(const Tensor& z,
                                                    const NoiseLevel& weight) const {
  check_image(z, "tv.solve: z");
  weight.check_fits(z, "tv.solve");
  const bool half = z.scalar_type() == at::kHalf || z.scalar_type() == at::kBFloat16;
  const Tensor images = z.to(half ? at::kFloat : z.scalar_type()).contiguous();
  const Tensor all_weights = weight.broadcastable(images);
  const auto weights_of = [&](std::int64_t i) {
    return all_weights[all_weights.size(0) == 1 ? 0 : i];
  };

  TotalVariationSolution solution{at::empty_like(images.detach()), 0, 0, true};
  std::vector<std::int64_t> steps;
  {
    const at::NoGradGuard no_grad;
    for (std::int64_t i = 0; i < images.size(0); ++i) {
      Tensor image = solution.image[i];
      const detail::Solved solved =
          detail::solve_one(images[i].detach(), weights_of(i).detach(), options_, image);
      steps.push_back(solved.iterations);
      solution.iterations = std::max(solution.iterations, solved.iterations);
      if (std::isnan(solved.relative_gap) || solved.relative_gap > solution.relative_gap) {
        solution.relative_gap = solved.relative_gap;
      }
      solution.converged = solution.converged && solved.relative_gap <= options_.relative_gap;
    }
  }
  if (at::GradMode::is_enabled() && (images.requires_grad() || all_weights.requires_grad())) {
    std::vector<Tensor> graphs;
    for (std::int64_t i = 0; i < images.size(0); ++i) {
      graphs.push_back(detail::total_variation_graph(images[i], weights_of(i), options_.channels,
                                                     steps[static_cast<std::size_t>(i)]));
    }
    solution.image = at::stack(graphs);
  }
  solution.image = solution.image.to(z.scalar_type());
  return solution;
}

inline double TotalVariation::value(const Tensor& x) const {
  check_image(x, "tv.value: x");
  const at::NoGradGuard no_grad;
  double sum = 0;
  for (std::int64_t i = 0; i < x.size(0); ++i) {
    std::vector<std::int64_t> shape = x[i].sizes().vec();
    shape.insert(shape.begin(), x.dim() - 2);
    Tensor field = at::zeros(shape, x.options().requires_grad(false));
    detail::forward_differences(x[i].detach(), field);
    sum += detail::pixel_norms(field, options_.channels).sum(at::kDouble).item<double>();
  }
  return sum;
}

inline NoiseLevel TotalVariation::weight(const NoiseLevel& sigma, const Tensor& x) const {
  double scale = options_.weight_per_sigma;
  if (options_.channels == ChannelCoupling::joint)
    scale *= std::sqrt(static_cast<double>(x.size(1)));
  if (sigma.is_number()) return NoiseLevel(scale * sigma.number());
  const Tensor levels = sigma.broadcastable(x) * scale;
  return NoiseLevel(sigma.is_map() ? levels : levels.reshape({-1}));
}

inline Tensor TotalVariation::do_denoise(const Tensor& x, const NoiseLevel& sigma) const {
  return solve(x, weight(sigma, x)).image;
}

}  // namespace tessera
