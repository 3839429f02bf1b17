// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/ops/zeros.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "tessera/core/error.hpp"
#include "tessera/core/text.hpp"
#include "tessera/physics/linear_operator.hpp"

namespace tessera {

/// What a sensor behind a Bayer filter sees of an RGB image (B, 3, H, W): one colour at each pixel,
/// (B, 1, H, W). A^T A is a mask, so ||A|| = 1, and conjugate gradients solve (A^T A + shift I) x =
/// b in two steps. Before it, by compose(), whatever blurs the colours.
class BayerMosaic : public LinearOperator {
 public:
  /// `pattern`: the colours of the first two rows and columns, row by row: "RGGB", "BGGR", "GRBG"
  /// or "GBRG", else error::InvalidArgument.
  explicit BayerMosaic(std::string_view pattern = "RGGB");

  std::string name() const override { return "bayer_mosaic"; }
  const std::string& pattern() const { return pattern_; }

 private:
  inline Tensor do_apply(const Tensor& x) const override;
  inline Tensor do_apply_adjoint(const Tensor& v) const override;
  std::optional<double> do_norm_squared(const Tensor& /*x*/) const override { return 1.0; }

  static void check_channels(const Tensor& tensor, std::int64_t channels, const char* what);
  /// The pixels of every second row and column, from (place / 2, place % 2) on, of one channel. A
  /// view.
  static Tensor pixels(const Tensor& image, std::int64_t channel, std::int64_t place);
  /// The channel measured there.
  std::int64_t colour(std::int64_t place) const {
    return static_cast<std::int64_t>(
        std::string_view("RGB").find(pattern_[static_cast<std::size_t>(place)]));
  }

  std::string pattern_;
};

inline BayerMosaic::BayerMosaic(std::string_view pattern) : pattern_(pattern) {
  for (const std::string_view known : {"RGGB", "BGGR", "GRBG", "GBRG"}) {
    if (pattern == known) return;
  }
  throw error::InvalidArgument(
      formatted("bayer_mosaic: pattern is '{}', expected RGGB, BGGR, GRBG or GBRG", pattern));
}

inline void BayerMosaic::check_channels(const Tensor& tensor, std::int64_t channels,
                                        const char* what) {
  if (tensor.dim() == 4 && tensor.size(1) == channels) return;
  throw error::ShapeMismatch(
      formatted("bayer_mosaic.{} is {}, expected (B, {}, H, W)", what, describe(tensor), channels));
}

inline Tensor BayerMosaic::pixels(const Tensor& image, std::int64_t channel, std::int64_t place) {
  return image.select(1, channel)
      .slice(1, place / 2, image.size(2), 2)
      .slice(2, place % 2, image.size(3), 2);
}

inline Tensor BayerMosaic::do_apply(const Tensor& x) const {
  check_channels(x, 3, "forward: x");
  const Tensor y = at::zeros({x.size(0), 1, x.size(2), x.size(3)}, x.options());
  for (std::int64_t place = 0; place < 4; ++place) {
    pixels(y, 0, place).copy_(pixels(x, colour(place), place));
  }
  return y;
}

inline Tensor BayerMosaic::do_apply_adjoint(const Tensor& v) const {
  check_channels(v, 1, "adjoint: v");
  const Tensor x = at::zeros({v.size(0), 3, v.size(2), v.size(3)}, v.options());
  for (std::int64_t place = 0; place < 4; ++place) {
    pixels(x, colour(place), place).copy_(pixels(v, 0, place));
  }
  return x;
}

}  // namespace tessera
