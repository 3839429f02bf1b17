// SPDX-License-Identifier: BSD-3-Clause
#include "restoration/step_limit.hpp"

#include <fmt/format.h>

namespace restoration {

double StepLimit::longest() const {
  return 2 / (norm_squared + prior_curvature);
}

std::string StepLimit::words() const {
  return fmt::format("{:.4g}, which is 2 / {} with ||A||^2 = {:.4g}", longest(),
                     prior_words.empty() ? "||A||^2" : fmt::format("(||A||^2 + {})", prior_words),
                     norm_squared);
}

std::string StepLimit::warning(double step) const {
  constexpr double rounding = 1 + 1e-6;
  if (step <= rounding * longest()) return "";
  return fmt::format(
      "the step {} is longer than {}: iterations swing and the result is poor. Give a shorter "
      "--step-size, or auto",
      step, words());
}

}  // namespace restoration
