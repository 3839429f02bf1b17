// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/ops/zeros.h>

#include <array>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "tessera/comm/agreement.hpp"
#include "tessera/core/error.hpp"
#include "tessera/core/tensor.hpp"
#include "tessera/core/text.hpp"

namespace tessera::detail {

/// The shape, dtype and kind of device of an image, as maxima for guarded(): each number is sent
/// together with its negative, so that a difference between ranks shows on all of them. Not
/// same_on_all_ranks(), because ranks without an image learn here what the others' is like.
class ImagePacket {
 public:
  /// Of a rank that has no image to speak of.
  ImagePacket();
  explicit ImagePacket(const Tensor& image);

  /// For guarded().
  std::span<std::int64_t> maxima() { return values_; }

  /// After guarded(): throws error::ShapeMismatch, the same on every rank, if ranks had different
  /// images or none had any.
  void check(const std::string& who) const;

  /// After guarded(): a zero image like the other ranks'.
  Tensor zeros() const;

 private:
  // dtype, device and number of dimensions in one; five extents
  static constexpr std::size_t fields = 6;
  std::array<std::int64_t, 2 * fields> values_;
};

inline constexpr std::int64_t packet_base = 1000;
inline constexpr std::int64_t packet_nothing = std::numeric_limits<std::int64_t>::min();

inline ImagePacket::ImagePacket() {
  values_.fill(packet_nothing);
}

inline ImagePacket::ImagePacket(const Tensor& image) {
  std::array<std::int64_t, fields> numbers{};
  numbers[0] = (static_cast<std::int64_t>(image.scalar_type()) * packet_base +
                static_cast<std::int64_t>(image.device().type())) *
                   packet_base +
               image.dim();
  for (std::int64_t axis = 0; axis < image.dim(); ++axis) {
    numbers[1 + static_cast<std::size_t>(axis)] = image.size(axis);
  }
  for (std::size_t i = 0; i < fields; ++i) {
    values_[i] = numbers[i];
    values_[fields + i] = -numbers[i];
  }
}

inline void ImagePacket::check(const std::string& who) const {
  if (values_[0] == packet_nothing)
    throw error::ShapeMismatch(formatted("{}: no rank has an image", who));
  const auto same = [&](std::size_t i) { return values_[i] == -values_[fields + i]; };
  if (!same(0)) {
    throw error::ShapeMismatch(
        who +
        ": the ranks' images differ in dtype, device or number of dimensions; every "
        "rank must give the same image");
  }
  for (std::size_t i = 1; i < fields; ++i) {
    if (!same(i)) {
      throw error::ShapeMismatch(
          formatted("{}: the ranks' images differ: extent {} is {} on one rank and {} on "
                    "another; every rank must give the same image",
                    who, i - 1, -values_[fields + i], values_[i]));
    }
  }
}

inline Tensor ImagePacket::zeros() const {
  std::vector<std::int64_t> shape;
  for (std::int64_t axis = 0; axis < values_[0] % packet_base; ++axis) {
    shape.push_back(values_[1 + static_cast<std::size_t>(axis)]);
  }
  return at::zeros(
      shape, at::TensorOptions()
                 .dtype(static_cast<at::ScalarType>(values_[0] / packet_base / packet_base))
                 .device(static_cast<at::DeviceType>(values_[0] / packet_base % packet_base)));
}

}  // namespace tessera::detail
