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
class GaussianNoise : public Noise {
 public:
  /// standard_deviation >= 0, in units of the measurement. Draws are made on the host, in the
  /// measurement's dtype, so that they do not depend on the device.
  GaussianNoise(double standard_deviation, std::uint64_t seed,
                std::optional<std::pair<double, double>> range = std::nullopt);

 private:
  Tensor do_add(const Tensor& clean) const override;

  double standard_deviation_;
  std::uint64_t seed_;
  std::optional<std::pair<double, double>> range_;
};

}  // namespace tessera
