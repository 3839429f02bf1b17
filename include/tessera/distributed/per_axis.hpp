// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "tessera/core/error.hpp"
#include "tessera/core/tensor.hpp"
#include "tessera/core/text.hpp"

namespace tessera {

/// Pixels along each spatial axis of an image, or one number that counts for all of them:
/// `.context = 32` or `.context = {4, 32, 32}`.
class PerAxis {
 public:
  template <std::integral Number>
  // NOLINTNEXTLINE(google-explicit-constructor): one number stands for all axes
  PerAxis(Number all) : values_{static_cast<std::int64_t>(all)} {}
  PerAxis(std::initializer_list<std::int64_t> values) : values_(values) {}
  explicit PerAxis(Extents values) : values_(std::move(values)) {}

  /// As given: one number, or one per axis.
  const Extents& values() const { return values_; }

  /// One number per axis. Throws error::InvalidArgument unless there is one for all or one for each
  /// of `axes` axes, all at least `minimum`: "TilePlan.even: context is -1, expected at least 0".
  Extents along(std::size_t axes, std::int64_t minimum, const std::string& what,
                const std::string& who) const;

  bool operator==(const PerAxis&) const = default;

 private:
  Extents values_;
};

/// "32" or "4x32x32"
inline std::string to_string(const PerAxis& pixels) {
  return joined(pixels.values(), "x");
}

inline Extents PerAxis::along(std::size_t axes, std::int64_t minimum, const std::string& what,
                              const std::string& who) const {
  if (values_.size() != 1 && values_.size() != axes) {
    throw error::InvalidArgument(
        formatted("{}: {} has {} numbers, the image {} dimensions; give one number for all or one "
                  "per dimension",
                  who, what, values_.size(), axes));
  }
  for (const std::int64_t value : values_) {
    if (value < minimum) {
      throw error::InvalidArgument(
          formatted("{}: {} is {}, expected at least {}", who, what, to_string(*this), minimum));
    }
  }
  return values_.size() == axes ? values_ : Extents(axes, values_.front());
}

}  // namespace tessera
