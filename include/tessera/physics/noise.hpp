// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/Parallel.h>
#include <ATen/ops/clamp.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/view_as_complex.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "tessera/core/check.hpp"
#include "tessera/core/error.hpp"
#include "tessera/core/tensor.hpp"
#include "tessera/core/text.hpp"
#include "tessera/physics/detail/normal_draws.hpp"

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
/// one seed, are independent. The real and the imaginary part of complex measurements each get
/// noise of that standard deviation, which is the sigma that SquaredDistance and L2 take.
class GaussianNoise : public Noise {
 public:
  /// standard_deviation >= 0, in units of the measurement. All 64 bits of the seed count. Give
  /// several operators one seed and each its own stream, such as its index. A range may be open at
  /// one end ([0, inf]). Throws error::InvalidArgument for numbers that cannot work.
  GaussianNoise(double standard_deviation, std::uint64_t seed,
                std::optional<std::pair<double, double>> range = std::nullopt,
                std::uint64_t stream = 0);

 private:
  inline Tensor do_add(const Tensor& clean) const override;

  double standard_deviation_;
  std::uint64_t seed_;
  std::optional<std::pair<double, double>> range_;
  std::uint64_t stream_;
};

namespace detail {

inline constexpr std::int64_t noise_grain = 1 << 14;  // draws per piece of work

template <typename T>
Tensor normal(at::IntArrayRef shape, std::uint64_t seed, std::uint64_t stream) {
  Tensor draws = at::empty(shape, at::TensorOptions().dtype(c10::CppTypeToScalarType<T>::value));
  T* data = draws.mutable_data_ptr<T>();
  at::parallel_for(0, draws.numel(), noise_grain, [&](std::int64_t begin, std::int64_t end) {
    fill_normal(std::span<T>(data + begin, data + end), seed, stream,
                static_cast<std::uint64_t>(begin));
  });
  return draws;
}

/// N(0, 1) draws in the dtype `type`, or in a real dtype that becomes it without loss.
inline Tensor normal_of(at::ScalarType type, at::IntArrayRef shape, std::uint64_t seed,
                        std::uint64_t stream) {
  const bool is_double = type == at::kDouble || type == at::kComplexDouble;
  return is_double ? normal<double>(shape, seed, stream) : normal<float>(shape, seed, stream);
}

}  // namespace detail

inline GaussianNoise::GaussianNoise(double standard_deviation, std::uint64_t seed,
                                    std::optional<std::pair<double, double>> range,
                                    std::uint64_t stream)
    : standard_deviation_(standard_deviation), seed_(seed), range_(range), stream_(stream) {
  check_not_negative(standard_deviation, "GaussianNoise", "standard_deviation");
  if (range) check_range(*range, "GaussianNoise", "range");
}

inline Tensor GaussianNoise::do_add(const Tensor& clean) const {
  const bool is_complex = clean.is_complex();
  if (!clean.is_floating_point() && (!is_complex || range_)) {
    throw error::ShapeMismatch(formatted("GaussianNoise.add: clean is {}, expected a floating{}",
                                         describe(clean),
                                         range_ ? " tensor, for the range" : " or complex one"));
  }
  std::vector<std::int64_t> shape = clean.sizes().vec();
  if (is_complex) shape.push_back(2);
  Tensor noise = detail::normal_of(clean.scalar_type(), shape, seed_, stream_);
  if (is_complex) noise = at::view_as_complex(noise);
  const Tensor noisy = clean + standard_deviation_ * noise.to(clean.device(), clean.scalar_type());
  return range_ ? at::clamp(noisy, range_->first, range_->second) : noisy;
}

}  // namespace tessera
