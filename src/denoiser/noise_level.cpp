#include "tessera/denoiser/noise_level.hpp"

#include <ATen/ops/aminmax.h>
#include <ATen/ops/full.h>
#include <fmt/format.h>

#include <limits>

#include "tessera/core/check.hpp"
#include "tessera/core/error.hpp"

namespace tessera {

NoiseLevel::NoiseLevel(double sigma) : number_(sigma) {
  check_not_negative(sigma, "NoiseLevel", "sigma");
}

NoiseLevel::NoiseLevel(Tensor sigma) : values_(std::move(sigma)) {
  if (!values_.defined() || !values_.is_floating_point() || values_.numel() == 0 ||
      values_.dim() == 0 || values_.dim() == 2) {
    throw error::ShapeMismatch(fmt::format(
        "NoiseLevel: sigma is {}, expected a floating tensor (B) or (B or 1, 1, spatial...)",
        describe(values_)));
  }
}

double NoiseLevel::number() const {
  if (!is_number()) {
    throw error::InvalidArgument(
        fmt::format("NoiseLevel.number: the level is {}, not one number", describe(values_)));
  }
  return number_;
}

void NoiseLevel::check_fits(const Tensor& x, const std::string& who) const {
  if (is_number()) return;
  bool ok = values_.dim() == 1 ? values_.size(0) == x.size(0) : values_.dim() == x.dim();
  if (ok && is_map()) {
    ok = (values_.size(0) == x.size(0) || values_.size(0) == 1) && values_.size(1) == 1 &&
         values_.sizes().slice(2) == x.sizes().slice(2);
  }
  if (!ok) {
    throw error::ShapeMismatch(
        fmt::format("{}: sigma is {}, expected a number, one per image ([{}]) or a map ([{} or 1, "
                    "1, spatial...]) for x {}",
                    who, describe(values_), x.size(0), x.size(0), describe(x)));
  }
  const auto [low, high] = at::aminmax(values_.detach());  // NaN if any value is
  const double smallest = low.item<double>();
  const double largest = high.item<double>();
  if (!(smallest >= 0 && largest < std::numeric_limits<double>::infinity())) {
    throw error::InvalidArgument(
        fmt::format("{}: sigma has values from {} to {}, expected finite numbers >= 0", who,
                    smallest, largest));
  }
}

Tensor NoiseLevel::broadcastable(const Tensor& x) const {
  const auto options = x.options().requires_grad(false);
  std::vector<std::int64_t> shape(static_cast<std::size_t>(x.dim()), 1);
  if (is_number()) return at::full(shape, number_, options);
  if (is_map()) return values_.to(options);
  shape[0] = values_.size(0);
  return values_.to(options).view(shape);
}

Tensor NoiseLevel::as_map(const Tensor& x) const {
  std::vector<std::int64_t> shape = x.sizes().vec();
  shape[1] = 1;
  return broadcastable(x).expand(shape);
}

NoiseLevel NoiseLevel::window(const std::vector<std::int64_t>& offset,
                              const std::vector<std::int64_t>& size) const {
  if (!is_map()) return *this;
  Tensor part = values_;
  for (std::size_t axis = 0; axis < offset.size(); ++axis) {
    part = part.narrow(static_cast<std::int64_t>(axis) + 2, offset[axis], size[axis]);
  }
  return NoiseLevel(part);
}

}  // namespace tessera
