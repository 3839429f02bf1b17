// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>

#include "tessera/core/tensor.hpp"

namespace tessera {

/// The one rule for intensities, for files of every format. `noise_level` allows for noise that
/// was added to them and not clipped.
///
/// Throws error::InvalidArgument with the index of the first value that is not finite, and for
/// values so far from 0 to 1 that they are on another scale (0 to 255, -1 to 1), with the range
/// found. Returns what is to be told about lesser oddities: a warning, or an empty string. `who`
/// begins both: "--truth t.npy".
std::string check_intensities(const std::string& who, const Tensor& values, double noise_level = 0);

}  // namespace tessera
