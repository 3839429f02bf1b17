// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/ops/arange.h>

#include <string>

#include "tessera/comm/box.hpp"
#include "tessera/core/tensor.hpp"

/// The files of tests/data/io, and what they hold. For programs compiled with TESSERA_TEST_DATA.
namespace test {

inline std::string data_file(const std::string& name) {
  return std::string(TESSERA_TEST_DATA) + "/io/" + name;
}

/// 0, 1, 2, ... in this shape.
inline tessera::Tensor counting(at::IntArrayRef shape, at::ScalarType type = at::kFloat) {
  return at::arange(c10::multiply_integers(shape), at::TensorOptions().dtype(at::kDouble))
      .view(shape)
      .to(type);
}

/// The window of a tensor by slices.
inline tessera::Tensor part(const tessera::Tensor& whole, const tessera::Box& window) {
  return part_of(whole,
                 tessera::whole_box(whole.sizes().slice(static_cast<std::size_t>(whole.dim()) -
                                                        window.axes.size())),
                 window);
}

}  // namespace test
