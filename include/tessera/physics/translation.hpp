// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/ops/arange.h>
#include <ATen/ops/complex.h>
#include <ATen/ops/cos.h>
#include <ATen/ops/sin.h>

#include <cmath>
#include <cstdint>
#include <numbers>
#include <string>
#include <utility>
#include <vector>

#include "tessera/comm/box.hpp"
#include "tessera/core/error.hpp"
#include "tessera/core/text.hpp"
#include "tessera/physics/detail/convolution.hpp"
#include "tessera/physics/linear_operator.hpp"
#include "tessera/physics/spectrum_cache.hpp"

namespace tessera {

/// Moves an image by any number of pixels along each spatial dimension, what leaves it coming back
/// on the opposite side: a phase for each frequency, exact for images without content at the
/// highest one (where an even extent leaves cos(pi s) of it). Whole pixels are a circular roll. The
/// phases are computed once per image size, dtype and device and kept, behind a lock, as Blur does.
///
/// Before a blur or a Downsampling, by compose(), it makes the frames of a moving camera.
class Translation : public LinearOperator {
 public:
  /// `shift`: pixels along each spatial dimension, in their order, towards larger indices. Throws
  /// error::InvalidArgument for none, more than three, or what is not finite.
  explicit Translation(std::vector<double> shift);

  std::string name() const override { return "translation"; }
  const std::vector<double>& shift() const { return shift_; }
  inline Tensor transfer_function(const Tensor& x) const override;
  /// A part of it, for images that ranks share out: of the half spectrum of images of these extents
  /// at `frequencies`, (1, 1, extents of the box), complex128. Throws error::ShapeMismatch for
  /// another number of dimensions.
  inline Tensor transfer_at(const Extents& extents, const Box& frequencies) const;

 private:
  Tensor do_apply(const Tensor& x) const override {
    return convolve_fourier(x, checked_transfer(x, "forward: x"), x.sizes().slice(2).vec(), false);
  }
  Tensor do_apply_adjoint(const Tensor& v) const override {
    return convolve_fourier(v, checked_transfer(v, "adjoint: v"), v.sizes().slice(2).vec(), true);
  }
  NormalFilter do_normal_filter(const Tensor& x) const override {
    return NormalFilter::on_extents_of(x,
                                       squared_magnitude(checked_transfer(x, "normal_filter: x")));
  }
  inline Tensor checked_transfer(const Tensor& x, const char* who) const;
  /// exp(-2 pi i k s / n) for the frequencies k of an axis, the first `count` of them.
  static inline Tensor phases(std::int64_t n, std::int64_t count, double shift);

  std::vector<double> shift_;
  mutable SpectrumCache<> phases_;  // by the spec of the transform
};

inline Translation::Translation(std::vector<double> shift) : shift_(std::move(shift)) {
  if (shift_.empty() || shift_.size() > 3) {
    throw error::InvalidArgument(formatted(
        "translation: shift has {} numbers, expected one for each of 1 to 3 spatial dimensions",
        shift_.size()));
  }
  for (const double pixels : shift_) {
    if (std::isfinite(pixels)) continue;
    throw error::InvalidArgument(
        formatted("translation: shift has {}, expected finite numbers", pixels));
  }
}

inline Tensor Translation::phases(std::int64_t n, std::int64_t count, double shift) {
  const Tensor index = at::arange(count, at::kDouble);
  const Tensor k = index - static_cast<double>(n) * (index > n / 2).to(at::kDouble);
  const Tensor angle = (-2 * std::numbers::pi * shift / static_cast<double>(n)) * k;
  Tensor sine = at::sin(angle);
  if (n % 2 == 0 && n / 2 < count) sine[n / 2] = 0.0;  // the image stays real
  return at::complex(at::cos(angle), sine);
}

inline Tensor Translation::checked_transfer(const Tensor& x, const char* who) const {
  const Tensor transfer = transfer_function(x);
  if (!transfer.defined()) {
    throw error::ShapeMismatch(formatted("translation.{} is {}, expected {} spatial dimensions",
                                         who, describe(x), shift_.size()));
  }
  return transfer;
}

inline Tensor Translation::transfer_at(const Extents& extents, const Box& frequencies) const {
  if (extents.size() != shift_.size() || frequencies.axes.size() != shift_.size()) {
    throw error::ShapeMismatch(
        formatted("translation.transfer_at: extents {} and frequencies {}, expected {} dimensions",
                  to_string(extents), to_string(frequencies), shift_.size()));
  }
  Tensor product;
  for (std::size_t d = 0; d < extents.size(); ++d) {
    Extents shape(extents.size() + 2, 1);
    shape[d + 2] = -1;
    const Interval range = frequencies.axes[d];
    const Tensor along =
        phases(extents[d], range.end, shift_[d]).narrow(0, range.begin, range.length()).view(shape);
    product = product.defined() ? product * along : along;
  }
  return product;
}

inline Tensor Translation::transfer_function(const Tensor& x) const {
  if (static_cast<std::size_t>(spatial_dimensions(x)) != shift_.size()) return {};
  const Extents extents = x.sizes().slice(2).vec();
  const auto precision = x.scalar_type() == at::kDouble ? at::kComplexDouble : at::kComplexFloat;
  return phases_.get({extents, precision, x.device()}, [&] {
    Box half = whole_box(extents);
    half.axes.back().end = extents.back() / 2 + 1;
    return transfer_at(extents, half).to(x.device(), precision);
  });
}

}  // namespace tessera
