#include "tessera/physics/noise.hpp"

#include <ATen/Parallel.h>
#include <ATen/ops/clamp.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/view_as_complex.h>
#include <fmt/format.h>

#include <cmath>

#include "normal_draws.hpp"
#include "tessera/core/check.hpp"
#include "tessera/core/error.hpp"

namespace tessera {

namespace {

constexpr std::int64_t grain = 1 << 14;  // draws per piece of work

template <typename T>
Tensor normal(at::IntArrayRef shape, std::uint64_t seed, std::uint64_t stream) {
  Tensor draws = at::empty(shape, at::TensorOptions().dtype(c10::CppTypeToScalarType<T>::value));
  T* data = draws.mutable_data_ptr<T>();
  at::parallel_for(0, draws.numel(), grain, [&](std::int64_t begin, std::int64_t end) {
    detail::fill_normal(std::span<T>(data + begin, data + end), seed, stream,
                        static_cast<std::uint64_t>(begin));
  });
  return draws;
}

/// N(0, 1) draws in the dtype `type`, or in a real dtype that becomes it without loss.
Tensor normal_of(at::ScalarType type, at::IntArrayRef shape, std::uint64_t seed,
                 std::uint64_t stream) {
  const bool is_double = type == at::kDouble || type == at::kComplexDouble;
  return is_double ? normal<double>(shape, seed, stream) : normal<float>(shape, seed, stream);
}

}  // namespace

GaussianNoise::GaussianNoise(double standard_deviation, std::uint64_t seed,
                             std::optional<std::pair<double, double>> range, std::uint64_t stream)
    : standard_deviation_(standard_deviation), seed_(seed), range_(range), stream_(stream) {
  check_not_negative(standard_deviation, "GaussianNoise", "standard_deviation");
  if (range) check_range(*range, "GaussianNoise", "range");
}

Tensor GaussianNoise::do_add(const Tensor& clean) const {
  const bool is_complex = clean.is_complex();
  if (!clean.is_floating_point() && (!is_complex || range_)) {
    throw error::ShapeMismatch(fmt::format("GaussianNoise.add: clean is {}, expected a floating{}",
                                           describe(clean),
                                           range_ ? " tensor, for the range" : " or complex one"));
  }
  std::vector<std::int64_t> shape = clean.sizes().vec();
  if (is_complex) shape.push_back(2);
  Tensor noise = normal_of(clean.scalar_type(), shape, seed_, stream_);
  if (is_complex) noise = at::view_as_complex(noise) * std::sqrt(0.5);
  const Tensor noisy = clean + standard_deviation_ * noise.to(clean.device(), clean.scalar_type());
  return range_ ? at::clamp(noisy, range_->first, range_->second) : noisy;
}

}  // namespace tessera
