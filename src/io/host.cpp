// SPDX-License-Identifier: BSD-3-Clause
#include "io/host.hpp"

#include <ATen/ops/empty.h>
#include <fmt/format.h>

#include "tessera/core/error.hpp"

namespace tessera::detail {

Tensor host_copy(const Tensor& tensor) {
  return tensor.detach().to(at::kCPU).resolve_conj().resolve_neg().contiguous();
}

std::int64_t checked_count(const std::vector<std::int64_t>& shape) {
  constexpr std::size_t most_dimensions = 64;
  constexpr std::int64_t most_elements = std::int64_t{1} << 56;
  if (shape.size() > most_dimensions) {
    throw error::Io(fmt::format("has an array of {} dimensions, at most {} are supported",
                                shape.size(), most_dimensions));
  }
  std::int64_t count = 1;
  bool empty = false;
  for (const std::int64_t extent : shape) {
    if (extent < 0 || extent > most_elements / count) {
      throw error::Io(fmt::format("has an array of impossible shape {}", to_string(shape)));
    }
    if (extent == 0) {
      empty = true;
    } else {
      count *= extent;
    }
  }
  return empty ? 0 : count;
}

Tensor host_tensor(const std::vector<std::int64_t>& shape, at::ScalarType type) {
  checked_count(shape);
  return at::empty(shape, at::TensorOptions().dtype(type).device(at::kCPU));
}

}  // namespace tessera::detail
