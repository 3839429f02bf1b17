// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/ops/aminmax.h>
#include <ATen/ops/full.h>

#include <limits>

#include "tessera/core/check.hpp"
#include "tessera/core/error.hpp"
#include "tessera/core/tensor.hpp"
#include "tessera/core/text.hpp"

namespace tessera {

/// Standard deviation of the noise a denoiser is to remove, on the scale of the image (0 to 1): one
/// number for all, one per image of the batch, or a map over pixels.
class NoiseLevel {
 public:
  /// One number, finite and >= 0; implicit, so that denoise(x, 0.05) reads well.
  NoiseLevel(double sigma);  // NOLINT(google-explicit-constructor)
  /// Shape (B): one per image. Shape (B or 1, 1, spatial...): a map. The values are checked where
  /// they are used, by check_fits().
  NoiseLevel(Tensor sigma);  // NOLINT(google-explicit-constructor)

  bool is_number() const { return !values_.defined(); }
  bool is_map() const { return values_.defined() && values_.dim() > 1; }
  bool requires_grad() const { return values_.defined() && values_.requires_grad(); }
  /// The number; error::InvalidArgument unless is_number().
  double number() const;

  /// Throws error::ShapeMismatch unless this level fits images like x, error::InvalidArgument if
  /// values are negative or not finite.
  void check_fits(const Tensor& x, const std::string& who) const;
  /// As a (B, 1, spatial...) map of x's dtype and device.
  Tensor as_map(const Tensor& x) const;
  /// As (B, 1, 1...) or (B, 1, spatial...), broadcastable against x.
  Tensor broadcastable(const Tensor& x) const;
  /// The level of the window [offset, offset + size) of the spatial dimensions; itself unless a
  /// map.
  NoiseLevel window(const std::vector<std::int64_t>& offset,
                    const std::vector<std::int64_t>& size) const;
  /// `factor` times as much, factor > 0.
  NoiseLevel scaled(double factor) const;
  /// The level of a batch in which each image is followed by count - 1 more of its level.
  NoiseLevel repeated(std::int64_t count) const;

 private:
  double number_ = 0;
  Tensor values_;  // undefined: a number
};

inline NoiseLevel::NoiseLevel(double sigma) : number_(sigma) {
  check_not_negative(sigma, "NoiseLevel", "sigma");
}

inline NoiseLevel::NoiseLevel(Tensor sigma) : values_(std::move(sigma)) {
  if (!values_.defined() || !values_.is_floating_point() || values_.numel() == 0 ||
      values_.dim() == 0 || values_.dim() == 2) {
    throw error::ShapeMismatch(formatted(
        "NoiseLevel: sigma is {}, expected a floating tensor (B) or (B or 1, 1, spatial...)",
        describe(values_)));
  }
}

inline double NoiseLevel::number() const {
  if (!is_number()) {
    throw error::InvalidArgument(
        formatted("NoiseLevel.number: the level is {}, not one number", describe(values_)));
  }
  return number_;
}

inline void NoiseLevel::check_fits(const Tensor& x, const std::string& who) const {
  if (is_number()) return;
  bool ok = values_.dim() == 1 ? values_.size(0) == x.size(0) : values_.dim() == x.dim();
  if (ok && is_map()) {
    ok = (values_.size(0) == x.size(0) || values_.size(0) == 1) && values_.size(1) == 1 &&
         values_.sizes().slice(2) == x.sizes().slice(2);
  }
  if (!ok) {
    throw error::ShapeMismatch(
        formatted("{}: sigma is {}, expected a number, one per image ([{}]) or a map ([{} or 1, "
                  "1, spatial...]) for x {}",
                  who, describe(values_), x.size(0), x.size(0), describe(x)));
  }
  const auto [low, high] = at::aminmax(values_.detach());  // NaN if any value is
  const double smallest = low.item<double>();
  const double largest = high.item<double>();
  if (!(smallest >= 0 && largest < std::numeric_limits<double>::infinity())) {
    throw error::InvalidArgument(
        formatted("{}: sigma has values from {} to {}, expected finite numbers >= 0", who, smallest,
                  largest));
  }
}

inline Tensor NoiseLevel::broadcastable(const Tensor& x) const {
  const auto options = x.options().requires_grad(false);
  std::vector<std::int64_t> shape(static_cast<std::size_t>(x.dim()), 1);
  if (is_number()) return at::full(shape, number_, options);
  if (is_map()) return values_.to(options);
  shape[0] = values_.size(0);
  return values_.to(options).view(shape);
}

inline Tensor NoiseLevel::as_map(const Tensor& x) const {
  std::vector<std::int64_t> shape = x.sizes().vec();
  shape[1] = 1;
  return broadcastable(x).expand(shape);
}

inline NoiseLevel NoiseLevel::window(const std::vector<std::int64_t>& offset,
                                     const std::vector<std::int64_t>& size) const {
  if (!is_map()) return *this;
  Tensor part = values_;
  for (std::size_t axis = 0; axis < offset.size(); ++axis) {
    part = part.narrow(static_cast<std::int64_t>(axis) + 2, offset[axis], size[axis]);
  }
  return NoiseLevel(part);
}

inline NoiseLevel NoiseLevel::scaled(double factor) const {
  check_positive(factor, "NoiseLevel.scaled", "factor");
  return is_number() ? NoiseLevel(number_ * factor) : NoiseLevel(values_ * factor);
}

inline NoiseLevel NoiseLevel::repeated(std::int64_t count) const {
  if (is_number() || (is_map() && values_.size(0) == 1)) return *this;
  return NoiseLevel(values_.repeat_interleave(count, 0));
}

}  // namespace tessera
