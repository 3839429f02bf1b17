// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/ops/pad.h>

#include <array>
#include <utility>

#include "tessera/core/error.hpp"
#include "tessera/core/text.hpp"
#include "tessera/physics/detail/extension.hpp"
#include "tessera/physics/padding.hpp"

namespace tessera {

namespace detail {

inline constexpr std::array<std::pair<Padding, const char*>, 5> padding_names = {{
    {Padding::valid, "valid"},
    {Padding::circular, "circular"},
    {Padding::reflect, "reflect"},
    {Padding::replicate, "replicate"},
    {Padding::constant, "constant"},
}};

/// The transpose along one dimension.
inline Tensor fold(const Tensor& extended, Padding padding, std::int64_t dimension,
                   std::int64_t before, std::int64_t after) {
  const std::int64_t extent = extended.size(dimension) - before - after;
  const Tensor inner = extended.narrow(dimension, before, extent);
  if (padding == Padding::constant || padding == Padding::valid) return inner;

  const Tensor result = inner.clone();
  const Tensor head = extended.narrow(dimension, 0, before);
  const Tensor tail = extended.narrow(dimension, before + extent, after);
  switch (padding) {
    case Padding::circular:
      result.narrow(dimension, extent - before, before).add_(head);
      result.narrow(dimension, 0, after).add_(tail);
      break;
    case Padding::reflect:
      result.narrow(dimension, 1, before).add_(head.flip(dimension));
      result.narrow(dimension, extent - 1 - after, after).add_(tail.flip(dimension));
      break;
    default:
      result.narrow(dimension, 0, 1).add_(head.sum(dimension, true));
      result.narrow(dimension, extent - 1, 1).add_(tail.sum(dimension, true));
  }
  return result;
}

}  // namespace detail

inline std::string to_string(Padding padding) {
  for (const auto& [value, name] : detail::padding_names) {
    if (value == padding) return name;
  }
  throw error::InvalidArgument("padding: not one of the enumerators");
}

inline Padding padding_from(std::string_view name) {
  std::string known;
  for (const auto& [value, known_name] : detail::padding_names) {
    if (name == known_name) return value;
    known += formatted("{}{}", known.empty() ? "" : ", ", known_name);
  }
  throw error::InvalidArgument(formatted("padding: '{}' is not one of {}", name, known));
}

inline Tensor extend(const Tensor& image, Padding padding, const std::vector<std::int64_t>& before,
                     const std::vector<std::int64_t>& after) {
  if (padding == Padding::valid) return image;
  std::vector<std::int64_t> amounts;  // last dimension first
  for (std::size_t d = before.size(); d-- > 0;) {
    amounts.push_back(before[d]);
    amounts.push_back(after[d]);
  }
  return at::pad(image, amounts, to_string(padding));
}

inline Tensor extend_adjoint(const Tensor& extended, Padding padding,
                             const std::vector<std::int64_t>& before,
                             const std::vector<std::int64_t>& after) {
  Tensor result = extended;
  for (std::size_t d = 0; d < before.size(); ++d) {
    if (before[d] + after[d] == 0) continue;
    result = detail::fold(result, padding, static_cast<std::int64_t>(d) + 2, before[d], after[d]);
  }
  return result;
}

}  // namespace tessera
