// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/Parallel.h>
#include <ATen/ops/empty_like.h>

#include <cstdint>
#include <optional>
#include <utility>

#include "tessera/core/check.hpp"
#include "tessera/core/error.hpp"
#include "tessera/core/text.hpp"
#include "tessera/physics/detail/uniform_draws.hpp"
#include "tessera/physics/noise.hpp"

namespace tessera {

struct PoissonNoiseOptions {
  double gain = 1;        ///< what one count adds to a measurement, > 0
  double background = 0;  ///< expected beside the clean measurement, in its units, >= 0
  double readout = 0;     ///< standard deviation of Gaussian noise added afterwards, >= 0
  std::optional<std::pair<double, double>> range = std::nullopt;  ///< measurements are clamped to
  std::uint64_t seed = 0;
  std::uint64_t stream = 0;  ///< give each of several operators its own, such as its index
};

/// Counts of photons or events: gain * Poisson((clean + background) / gain) + readout * N(0, 1),
/// then clamped to the range, if there is one. Mean clean + background, variance gain times that
/// and readout^2.
///
/// Draws are repeatable as those of GaussianNoise: functions of seed, stream and the element's
/// index alone. The clean measurement is real and at least -background, else
/// error::InvalidArgument; what is negative by less than 1e-5 of the largest is rounding, as
/// Fourier transforms leave, and counts as 0.
class PoissonNoise : public Noise {
 public:
  /// Throws error::InvalidArgument for numbers that cannot work.
  explicit PoissonNoise(PoissonNoiseOptions options);

 private:
  inline Tensor do_add(const Tensor& clean, const ElementNumbers& numbers) const override;

  PoissonNoiseOptions options_;
};

inline PoissonNoise::PoissonNoise(PoissonNoiseOptions options) : options_(options) {
  check_positive(options_.gain, "PoissonNoise", "gain");
  check_not_negative(options_.background, "PoissonNoise", "background");
  check_not_negative(options_.readout, "PoissonNoise", "readout");
  if (options.range) check_range(*options.range, "PoissonNoise", "range");
}

inline Tensor PoissonNoise::do_add(const Tensor& clean, const ElementNumbers& numbers) const {
  if (!clean.is_floating_point()) {
    throw error::ShapeMismatch(
        formatted("PoissonNoise.add: clean is {}, expected a floating tensor", describe(clean)));
  }
  check_finite(clean, "PoissonNoise.add", "clean");
  // Counted in float64 on the host: the same in every dtype and on every device.
  Tensor means =
      ((clean.to(at::kCPU, at::kDouble) + options_.background) / options_.gain).contiguous();
  constexpr double rounding = 1e-5;
  if (means.numel() > 0 && means.min().item<double>() < -rounding * means.max().item<double>()) {
    throw error::InvalidArgument(formatted(
        "PoissonNoise.add: clean + background reaches {}, expected 0 or more: counts have no "
        "negative mean",
        means.min().item<double>() * options_.gain));
  }
  means = means.clamp_min(0);
  Tensor counts = at::empty_like(means);
  const double* mean = means.const_data_ptr<double>();
  double* count = counts.mutable_data_ptr<double>();
  const detail::ElementDraws draws(options_.seed, options_.stream, /*purpose=*/1);
  at::parallel_for(0, means.numel(), 1 << 10, [&](std::int64_t begin, std::int64_t end) {
    numbers.each_run(begin, end, [&](std::int64_t from, std::int64_t to, std::int64_t number) {
      for (std::int64_t i = from; i < to; ++i)
        count[i] = detail::poisson_draw(draws, number + i - from, mean[i]);
    });
  });
  const Tensor counted = (options_.gain * counts).to(clean.options());
  return GaussianNoise(options_.readout, options_.seed, options_.range, options_.stream)
      .add(counted, numbers);
}

}  // namespace tessera
