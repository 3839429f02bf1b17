// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace bench {

/// Times of a DRUNet's kinds of layers for an image of this size, one JSON object per kind: head, a
/// convolution within a residual block of each scale with tiles of four and of six, the steps
/// between scales, tail. With `reference`, LibTorch's time for the 3x3 convolutions beside.
std::vector<std::string> layer_times(const std::vector<std::int64_t>& widths, std::int64_t height,
                                     std::int64_t width, int rounds, int threads, bool reference);

}  // namespace bench
