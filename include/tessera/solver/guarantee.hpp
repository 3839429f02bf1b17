// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>

namespace tessera {

/// What theory says of the iterates of a method, where its parts are what they say (is_convex,
/// curvature, a linear model), inner problems are solved exactly, and steps that are given lie
/// within the bounds that the options name. `none` is no verdict: many such methods work well.
enum class Guarantee {
  none,     ///< nothing in general
  descent,  ///< what is minimised never rises
  minimum,  ///< what is minimised tends to its minimum, from any start
};

/// "nothing in general", ...
inline std::string to_string(Guarantee guarantee) {
  switch (guarantee) {
    case Guarantee::none:
      return "nothing in general";
    case Guarantee::descent:
      return "the objective never rises";
    case Guarantee::minimum:
      return "the objective tends to its minimum";
  }
  return "unknown";
}

namespace detail {

/// is_convex() of a fidelity or a prior; false where it has none.
template <typename Part>
bool is_convex(const Part& part) {
  if constexpr (requires { part.is_convex(); }) {
    return part.is_convex();
  } else {
    return false;
  }
}

/// True if a fidelity or a prior is convex and its gradient has a Lipschitz constant. Local.
template <typename Part>
bool is_convex_and_smooth(const Part& part) {
  if constexpr (requires { part.curvature(); }) {
    return is_convex(part) && part.curvature().has_value();
  } else if constexpr (requires { part.gradient_lipschitz(); }) {
    return is_convex(part) && part.gradient_lipschitz().has_value();
  } else {
    return false;
  }
}

}  // namespace detail

}  // namespace tessera
