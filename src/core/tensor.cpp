#include "tessera/core/tensor.hpp"

#include <c10/core/DeviceGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "tessera/core/error.hpp"

namespace tessera {

namespace {

std::string dtype_name(at::ScalarType type) {
  switch (type) {
    case at::kFloat:
      return "float32";
    case at::kDouble:
      return "float64";
    case at::kHalf:
      return "float16";
    case at::kBFloat16:
      return "bfloat16";
    case at::kComplexFloat:
      return "complex64";
    case at::kComplexDouble:
      return "complex128";
    default:
      return c10::toString(type);
  }
}

}  // namespace

std::string to_string(at::IntArrayRef shape) {
  return fmt::format("[{}]", fmt::join(shape.begin(), shape.end(), ", "));
}

std::string describe(const Tensor& tensor) {
  if (!tensor.defined()) return "an undefined tensor";
  return fmt::format("{} {} on {}", to_string(tensor.sizes()), dtype_name(tensor.scalar_type()),
                     tensor.device().str());
}

std::int64_t spatial_dimensions(const Tensor& image) {
  return image.dim() - 2;
}

void check_image(const Tensor& image, const std::string& who) {
  const bool ok = image.defined() && image.is_floating_point() && image.dim() >= 3 &&
                  image.dim() <= 5 && image.numel() > 0;
  if (!ok) {
    throw error::ShapeMismatch(
        fmt::format("{} is {}, expected a floating image (B, C, H, W) or (B, C, D, H, W) with no "
                    "empty dimension",
                    who, describe(image)));
  }
}

void check_like(const Tensor& given, const Tensor& expected, const std::string& who) {
  const bool ok = given.defined() && given.sizes() == expected.sizes() &&
                  given.scalar_type() == expected.scalar_type() &&
                  given.device() == expected.device();
  if (!ok) {
    throw error::ShapeMismatch(
        fmt::format("{} is {}, expected {}", who, describe(given), describe(expected)));
  }
}

void synchronize(const Tensor& tensor) {
  if (!tensor.defined() || tensor.device().is_cpu()) return;
  c10::impl::VirtualGuardImpl(tensor.device().type()).synchronizeDevice(tensor.device().index());
}

}  // namespace tessera
