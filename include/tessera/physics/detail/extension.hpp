// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <vector>

#include "tessera/core/tensor.hpp"
#include "tessera/physics/padding.hpp"

namespace tessera {

/// `image` continued by before[d] and after[d] pixels along spatial dimension d. The identity for
/// valid.
Tensor extend(const Tensor& image, Padding padding, const std::vector<std::int64_t>& before,
              const std::vector<std::int64_t>& after);

/// The exact transpose of extend: every pixel of the margin is added to the pixel it was copied
/// from.
Tensor extend_adjoint(const Tensor& extended, Padding padding,
                      const std::vector<std::int64_t>& before,
                      const std::vector<std::int64_t>& after);

}  // namespace tessera
