// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <vector>

#include "restore/steps.hpp"

namespace restore {

/// How a step moves the image before it samples it, tessera::Translation; empty: not at all.
std::vector<double> motion_of(const DownSamplingStep& step);

/// The first step that is no blur, if it moves the image, else null: blurs and motions change
/// places, and what a motion brings in from the opposite side is best left in the margin of a valid
/// blur. Its motion is that of the image, before all steps.
const DownSamplingStep* first_motion(const std::vector<Step>& steps);

}  // namespace restore
