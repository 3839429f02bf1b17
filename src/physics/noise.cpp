#include "tessera/physics/noise.hpp"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/ops/clamp.h>
#include <ATen/ops/randn.h>
#include <fmt/format.h>

#include "tessera/core/error.hpp"

namespace tessera {

GaussianNoise::GaussianNoise(double standard_deviation, std::uint64_t seed,
                             std::optional<std::pair<double, double>> range)
    : standard_deviation_(standard_deviation), seed_(seed), range_(range) {
  if (!(standard_deviation >= 0)) {
    throw error::InvalidArgument(
        fmt::format("GaussianNoise: standard_deviation is {}, expected >= 0", standard_deviation));
  }
  if (range && !(range->first <= range->second)) {
    throw error::InvalidArgument(fmt::format(
        "GaussianNoise: range is [{}, {}], expected low <= high", range->first, range->second));
  }
}

Tensor GaussianNoise::do_add(const Tensor& clean) const {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(seed_);
  const Tensor noise =
      at::randn(clean.sizes(), generator, at::TensorOptions().dtype(clean.scalar_type()));
  const Tensor noisy = clean + standard_deviation_ * noise.to(clean.device());
  return range_ ? at::clamp(noisy, range_->first, range_->second) : noisy;
}

}  // namespace tessera
