#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>

#include "tessera/comm/agreement.hpp"
#include "tessera/core/tensor.hpp"

namespace tessera::detail {

/// The shape, dtype and kind of device of an image, as numbers that agree() reduces to their
/// maximum: each is sent together with its negative, so that a difference between ranks shows on
/// all of them.
class ImagePacket {
 public:
  /// Of a rank that has no image to speak of.
  ImagePacket();
  /// `signature` is a further number that must be the same on all ranks.
  explicit ImagePacket(const Tensor& image, std::int64_t signature = 0);

  /// What agree() is to reduce.
  std::span<std::int64_t> maxima() { return values_; }

  /// After agree(): throws error::ShapeMismatch, the same on every rank, if ranks had different
  /// images or none had any.
  void check(const std::string& who) const;

  /// After agree(): a zero image like the other ranks'.
  Tensor zeros() const;

 private:
  // dtype, device and number of dimensions in one; five extents; the signature
  static constexpr std::size_t fields = 7;
  std::array<std::int64_t, 2 * fields> values_;
};

}  // namespace tessera::detail
