#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "tessera/core/tensor.hpp"

namespace tessera {

/// What an instrument adds to a clean measurement.
class Noise {
 public:
  virtual ~Noise() = default;
  /// A noisy copy of `clean`. Repeatable: each call draws from the noise's own seed.
  Tensor add(const Tensor& clean) const { return do_add(clean); }

 private:
  virtual Tensor do_add(const Tensor& clean) const = 0;
};

using NoisePtr = std::shared_ptr<const Noise>;

/// clean + standard_deviation * N(0, 1), then clamped to `range` if one is given.
///
/// Draws come from a counter-based generator (Philox4x32-10) whose key is the seed and whose
/// counter is the stream and the element's index: each depends on these three numbers alone. They
/// are computed on the host in double precision, then rounded: the same numbers in every dtype, on
/// every device, for every number of threads and ranks. Different seeds, and different streams of
/// one seed, are independent. For complex measurements standard_deviation^2 is the variance of both
/// parts together.
class GaussianNoise : public Noise {
 public:
  /// standard_deviation >= 0, in units of the measurement. All 64 bits of the seed count. Give
  /// several operators one seed and each its own stream, such as its index. A range may be open at
  /// one end ([0, inf]). Throws error::InvalidArgument for numbers that cannot work.
  GaussianNoise(double standard_deviation, std::uint64_t seed,
                std::optional<std::pair<double, double>> range = std::nullopt,
                std::uint64_t stream = 0);

 private:
  Tensor do_add(const Tensor& clean) const override;

  double standard_deviation_;
  std::uint64_t seed_;
  std::optional<std::pair<double, double>> range_;
  std::uint64_t stream_;
};

}  // namespace tessera
