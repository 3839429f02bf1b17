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
#include "tessera/physics/element_numbers.hpp"

namespace tessera {

/// What an instrument adds to a clean measurement.
class Noise {
 public:
  virtual ~Noise() = default;
  /// A noisy copy of `clean`. Repeatable: each call draws from the noise's own seed.
  Tensor add(const Tensor& clean) const { return do_add(clean, ElementNumbers(clean.sizes())); }
  /// The same of a part of a measurement, whose elements have these numbers in the whole: that part
  /// of what add() makes of the whole, to the bit. Local: ranks that hold parts need not know of
  /// each other. Throws error::ShapeMismatch if there are not as many numbers as elements.
  inline Tensor add(const Tensor& clean, const ElementNumbers& numbers) const;

 private:
  /// What is drawn for an element depends on its number alone.
  virtual Tensor do_add(const Tensor& clean, const ElementNumbers& numbers) const = 0;
};

inline Tensor Noise::add(const Tensor& clean, const ElementNumbers& numbers) const {
  if (numbers.count() != clean.numel()) {
    throw error::ShapeMismatch(
        formatted("Noise.add: clean is {}, expected {} elements, as many as numbers",
                  describe(clean), numbers.count()));
  }
  return do_add(clean, numbers);
}

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
  inline Tensor do_add(const Tensor& clean, const ElementNumbers& numbers) const override;

  double standard_deviation_;
  std::uint64_t seed_;
  std::optional<std::pair<double, double>> range_;
  std::uint64_t stream_;
};

namespace detail {

inline constexpr std::int64_t noise_grain = 1 << 14;  // draws per piece of work

template <typename T>
Tensor normal(at::IntArrayRef shape, const ElementNumbers& numbers, std::uint64_t seed,
              std::uint64_t stream) {
  Tensor draws = at::empty(shape, at::TensorOptions().dtype(c10::CppTypeToScalarType<T>::value));
  T* data = draws.mutable_data_ptr<T>();
  const std::int64_t count = numbers.count();
  const std::int64_t each = count > 0 ? draws.numel() / count : 0;  // 2 of a complex element
  at::parallel_for(0, count, noise_grain, [&](std::int64_t begin, std::int64_t end) {
    numbers.each_run(begin, end, [&](std::int64_t from, std::int64_t to, std::int64_t number) {
      fill_normal(std::span<T>(data + each * from, data + each * to), seed, stream,
                  static_cast<std::uint64_t>(each * number));
    });
  });
  return draws;
}

/// N(0, 1) draws in the dtype `type`, or in a real dtype that becomes it without loss.
inline Tensor normal_of(at::ScalarType type, at::IntArrayRef shape, const ElementNumbers& numbers,
                        std::uint64_t seed, std::uint64_t stream) {
  const bool is_double = type == at::kDouble || type == at::kComplexDouble;
  return is_double ? normal<double>(shape, numbers, seed, stream)
                   : normal<float>(shape, numbers, seed, stream);
}

}  // namespace detail

inline GaussianNoise::GaussianNoise(double standard_deviation, std::uint64_t seed,
                                    std::optional<std::pair<double, double>> range,
                                    std::uint64_t stream)
    : standard_deviation_(standard_deviation), seed_(seed), range_(range), stream_(stream) {
  check_not_negative(standard_deviation, "GaussianNoise", "standard_deviation");
  if (range) check_range(*range, "GaussianNoise", "range");
}

inline Tensor GaussianNoise::do_add(const Tensor& clean, const ElementNumbers& numbers) const {
  const bool is_complex = clean.is_complex();
  if (!clean.is_floating_point() && (!is_complex || range_)) {
    throw error::ShapeMismatch(formatted("GaussianNoise.add: clean is {}, expected a floating{}",
                                         describe(clean),
                                         range_ ? " tensor, for the range" : " or complex one"));
  }
  std::vector<std::int64_t> shape = clean.sizes().vec();
  if (is_complex) shape.push_back(2);
  Tensor noise = detail::normal_of(clean.scalar_type(), shape, numbers, seed_, stream_);
  if (is_complex) noise = at::view_as_complex(noise);
  const Tensor noisy = clean + standard_deviation_ * noise.to(clean.device(), clean.scalar_type());
  return range_ ? at::clamp(noisy, range_->first, range_->second) : noisy;
}

}  // namespace tessera
