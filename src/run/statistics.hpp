// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>
#include <vector>

#include "tessera/run/recorder.hpp"

namespace tessera::detail {

struct Spread {
  double median = 0;
  double min = 0;
  double max = 0;
};

/// Of values that are not NaN; NaN if there are none.
Spread spread(std::vector<double> values);

/// The quantities of an iteration that summary.json tells.
const std::vector<MetricsColumn>& quantities();

/// Values of `quantity` without warm-up iterations; with them where nothing else is left.
std::vector<double> measured(const std::vector<MetricsRow>& rows, const MetricsColumn& quantity);

}  // namespace tessera::detail
