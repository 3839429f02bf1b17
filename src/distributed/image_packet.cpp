#include "image_packet.hpp"

#include <ATen/ops/zeros.h>
#include <fmt/format.h>

#include <limits>
#include <vector>

#include "tessera/core/error.hpp"

namespace tessera::detail {

namespace {

constexpr std::int64_t base = 1000;
constexpr std::int64_t nothing = std::numeric_limits<std::int64_t>::min();

}  // namespace

ImagePacket::ImagePacket() {
  values_.fill(nothing);
}

ImagePacket::ImagePacket(const Tensor& image, std::int64_t signature) {
  std::array<std::int64_t, fields> numbers{};
  numbers[0] = (static_cast<std::int64_t>(image.scalar_type()) * base +
                static_cast<std::int64_t>(image.device().type())) *
                   base +
               image.dim();
  for (std::int64_t axis = 0; axis < image.dim(); ++axis) {
    numbers[1 + static_cast<std::size_t>(axis)] = image.size(axis);
  }
  numbers[fields - 1] = signature;
  for (std::size_t i = 0; i < fields; ++i) {
    values_[i] = numbers[i];
    values_[fields + i] = -numbers[i];
  }
}

void ImagePacket::check(const std::string& who) const {
  if (values_[0] == nothing)
    throw error::ShapeMismatch(fmt::format("{}: no rank has an image", who));
  const auto same = [&](std::size_t i) { return values_[i] == -values_[fields + i]; };
  if (!same(0)) {
    throw error::ShapeMismatch(
        who +
        ": the ranks' images differ in dtype, device or number of dimensions; every "
        "rank must give the same image");
  }
  for (std::size_t i = 1; i + 1 < fields; ++i) {
    if (!same(i)) {
      throw error::ShapeMismatch(
          fmt::format("{}: the ranks' images differ: extent {} is {} on one rank and {} on "
                      "another; every rank must give the same image",
                      who, i - 1, -values_[fields + i], values_[i]));
    }
  }
  if (!same(fields - 1)) throw error::InvalidArgument(who + ": the ranks were set up differently");
}

Tensor ImagePacket::zeros() const {
  std::vector<std::int64_t> shape;
  for (std::int64_t axis = 0; axis < values_[0] % base; ++axis) {
    shape.push_back(values_[1 + static_cast<std::size_t>(axis)]);
  }
  return at::zeros(shape, at::TensorOptions()
                              .dtype(static_cast<at::ScalarType>(values_[0] / base / base))
                              .device(static_cast<at::DeviceType>(values_[0] / base % base)));
}

}  // namespace tessera::detail
