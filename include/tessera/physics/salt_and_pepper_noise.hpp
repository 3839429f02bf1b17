// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/where.h>

#include <cmath>
#include <cstdint>

#include "tessera/core/check.hpp"
#include "tessera/core/error.hpp"
#include "tessera/core/text.hpp"
#include "tessera/physics/detail/uniform_draws.hpp"
#include "tessera/physics/noise.hpp"

namespace tessera {

struct SaltAndPepperNoiseOptions {
  double fraction = 0.1;  ///< of elements that are replaced, 0 to 1
  double low = 0;         ///< pepper
  double high = 1;        ///< salt
  std::uint64_t seed = 0;
  std::uint64_t stream = 0;  ///< give each of several operators its own, such as its index
};

/// Dead and hot pixels: each element by itself becomes `low` or `high`, with probability
/// fraction / 2 each. Repeatable as GaussianNoise is.
class SaltAndPepperNoise : public Noise {
 public:
  /// Throws error::InvalidArgument for numbers that cannot work.
  explicit SaltAndPepperNoise(SaltAndPepperNoiseOptions options);

 private:
  inline Tensor do_add(const Tensor& clean, const ElementNumbers& numbers) const override;

  SaltAndPepperNoiseOptions options_;
};

inline SaltAndPepperNoise::SaltAndPepperNoise(SaltAndPepperNoiseOptions options)
    : options_(options) {
  if (!(options_.fraction >= 0 && options_.fraction <= 1)) {
    throw error::InvalidArgument(
        formatted("SaltAndPepperNoise: fraction is {}, expected 0 to 1", options_.fraction));
  }
  if (!std::isfinite(options_.low) || !std::isfinite(options_.high)) {
    throw error::InvalidArgument(
        formatted("SaltAndPepperNoise: low is {} and high {}, expected "
                  "finite numbers",
                  options_.low, options_.high));
  }
}

inline Tensor SaltAndPepperNoise::do_add(const Tensor& clean, const ElementNumbers& numbers) const {
  if (!clean.is_floating_point()) {
    throw error::ShapeMismatch(formatted(
        "SaltAndPepperNoise.add: clean is {}, expected a floating tensor", describe(clean)));
  }
  Tensor uniform = at::empty(clean.sizes(), at::TensorOptions().dtype(at::kDouble));
  double* value = uniform.mutable_data_ptr<double>();
  const detail::ElementDraws draws(options_.seed, options_.stream, /*purpose=*/2);
  at::parallel_for(0, uniform.numel(), 1 << 12, [&](std::int64_t begin, std::int64_t end) {
    numbers.each_run(begin, end, [&](std::int64_t from, std::int64_t to, std::int64_t number) {
      for (std::int64_t i = from; i < to; ++i) value[i] = draws.pair(number + i - from, 0).first;
    });
  });
  uniform = uniform.to(clean.device());
  const Tensor salted = at::where(uniform <= options_.fraction, options_.high, clean);
  return at::where(uniform <= 0.5 * options_.fraction, options_.low, salted);
}

}  // namespace tessera
