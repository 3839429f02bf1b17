#include "tessera/core/check.hpp"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/isfinite.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <limits>
#include <vector>

#include "tessera/core/error.hpp"

namespace tessera {

namespace {

void require(bool holds, double value, std::string_view expected, std::string_view who,
             std::string_view what) {
  if (holds) return;
  throw error::InvalidArgument(
      fmt::format("{}: {} is {}, expected a finite number {}", who, what, value, expected));
}

std::vector<std::int64_t> index_of(std::int64_t position, at::IntArrayRef shape) {
  std::vector<std::int64_t> index(shape.size());
  for (std::size_t axis = shape.size(); axis-- > 0;) {
    index[axis] = position % shape[axis];
    position /= shape[axis];
  }
  return index;
}

}  // namespace

void check_positive(double value, std::string_view who, std::string_view what) {
  require(std::isfinite(value) && value > 0, value, "> 0", who, what);
}

void check_not_negative(double value, std::string_view who, std::string_view what) {
  require(std::isfinite(value) && value >= 0, value, ">= 0", who, what);
}

void check_range(const std::pair<double, double>& range, std::string_view who,
                 std::string_view what) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  const auto [low, high] = range;
  if (low <= high && low < infinity && high > -infinity) return;
  throw error::InvalidArgument(fmt::format(
      "{}: {} is [{}, {}], expected [low, high] with low <= high", who, what, low, high));
}

void check_finite(const Tensor& tensor, std::string_view who, std::string_view what) {
  const at::NoGradGuard no_grad;
  const Tensor finite = at::isfinite(tensor);
  if (finite.all().item<bool>()) return;
  const Tensor wrong = finite.logical_not().flatten();
  const auto first = wrong.to(at::kByte).argmax().item<std::int64_t>();
  const Tensor value = tensor.flatten()[first];
  throw error::InvalidArgument(
      fmt::format("{}: {} has {} of {} values that are not finite, the first is {} at [{}]", who,
                  what, wrong.sum().item<std::int64_t>(), tensor.numel(),
                  (value.is_complex() ? value.abs() : value).item<double>(),
                  fmt::join(index_of(first, tensor.sizes()), ", ")));
}

}  // namespace tessera
