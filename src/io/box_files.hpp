// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "tessera/comm/box.hpp"
#include "tessera/comm/communicator.hpp"
#include "tessera/core/tensor.hpp"
#include "tessera/distributed/box_space.hpp"

namespace tessera::detail {

/// Makes the temporary file `name` of an array in C order, with its final size, on the first rank;
/// returns where its elements begin. Throws bare causes.
using BeginArrayFile =
    std::function<std::int64_t(const std::string& name, at::ScalarType type, const Extents& shape)>;

/// Collective. One file to which each rank writes `part`, box `box` of an array (..., extents).
void write_array_boxes(const char* who, const std::string& path, Communicator& ranks,
                       const Tensor& part, const Box& box, const Extents& extents,
                       const BeginArrayFile& begin);

/// Collective. What `read` gives of this rank's box, as (B, C, extents of the box). `read` sets the
/// shape of the whole array.
Tensor read_array_boxes(const char* who, const std::string& path, const BoxSpace& space,
                        const std::function<Tensor(Extents& shape)>& read);

}  // namespace tessera::detail
