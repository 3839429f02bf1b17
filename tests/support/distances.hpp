// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/ops/full.h>

#include <algorithm>
#include <limits>

#include "tessera/fidelity/distance.hpp"

/// Distances of single numbers, for tests.
namespace test {

inline double value_at(const tessera::Distance& distance, double u, double y) {
  return distance.value(at::full({1}, u, at::kDouble), at::full({1}, y, at::kDouble));
}

/// Where brute_force_prox looks.
struct Search {
  double reach;                                             ///< around 0, to begin with
  double end;                                               ///< the last reach
  double shrink;                                            ///< from one grid to the next
  int steps;                                                ///< of a grid, to either side
  double least = -std::numeric_limits<double>::infinity();  ///< of the minimiser
};

/// argmin_v step d(v, y) + 0.5 (v - u)^2 by ever finer grids.
inline double brute_force_prox(const tessera::Distance& distance, double u, double y, double step,
                               const Search& search) {
  double centre = 0;
  for (double reach = search.reach; reach > search.end; reach *= search.shrink) {
    double best = centre;
    double least = std::numeric_limits<double>::infinity();
    for (int i = -search.steps; i <= search.steps; ++i) {
      const double v = std::max(centre + reach * i / search.steps, search.least);
      const double objective = step * value_at(distance, v, y) + 0.5 * (v - u) * (v - u);
      if (objective < least) {
        least = objective;
        best = v;
      }
    }
    centre = best;
  }
  return centre;
}

}  // namespace test
