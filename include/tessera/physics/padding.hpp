// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>
#include <string_view>

namespace tessera {

/// What an image continues with beyond its border when it is convolved.
enum class Padding {
  valid,      ///< with nothing: only pixels whose whole neighbourhood lies inside, so the result is
              ///< smaller
  circular,   ///< with its opposite side
  reflect,    ///< mirrored at the outermost pixel, which is not repeated
  replicate,  ///< with its outermost pixel
  constant,   ///< with zeros
};

/// "valid", "circular", ...
std::string to_string(Padding padding);

/// The padding of that name; error::InvalidArgument, listing the names, if there is none.
Padding padding_from(std::string_view name);

}  // namespace tessera

#include "tessera/physics/detail/padding.hpp"
