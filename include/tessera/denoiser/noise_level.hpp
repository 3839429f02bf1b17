#pragma once

#include "tessera/core/tensor.hpp"

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

 private:
  double number_ = 0;
  Tensor values_;  // undefined: a number
};

}  // namespace tessera
