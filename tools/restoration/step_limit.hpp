// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>

namespace restoration {

/// How long the steps of a solver may be.
struct StepLimit {
  double norm_squared = 0;     ///< ||A||^2
  double prior_curvature = 0;  ///< what a prior with a gradient adds to it
  std::string prior_words{};   ///< what the command line calls that: "--red-weight"

  /// The longest step with which gradients bring no two images further apart.
  double longest() const;
  /// "0.5, which is 2 / ||A||^2 with ||A||^2 = 4".
  std::string words() const;
  /// A sentence about a longer step; empty: `step` is none.
  std::string warning(double step) const;
};

}  // namespace restoration
