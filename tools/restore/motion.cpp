// SPDX-License-Identifier: BSD-3-Clause
#include "restore/motion.hpp"

#include <algorithm>
#include <variant>

namespace restore {

std::vector<double> motion_of(const DownSamplingStep& step) {
  const auto factor = static_cast<double>(step.factor);
  const auto [down, right] = step.shift;
  if (down == 0 && right == 0) return {};
  return {factor * down, factor * right};
}

const DownSamplingStep* first_motion(const std::vector<Step>& steps) {
  const auto found = std::find_if(steps.begin(), steps.end(), [](const Step& step) {
    return !std::holds_alternative<BlurStep>(step);
  });
  return found == steps.end() ? nullptr : std::get_if<DownSamplingStep>(&*found);
}

}  // namespace restore
