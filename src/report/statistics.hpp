#pragma once

#include <string>
#include <vector>

#include "tessera/report/recorder.hpp"

namespace tessera::detail {

struct Spread {
  double median = 0;
  double min = 0;
  double max = 0;
};

/// Of values that are not NaN; NaN if there are none.
Spread spread(std::vector<double> values);

/// A quantity of an iteration that summary.json tells, with the unit in its name.
struct Quantity {
  const char* name;
  double (*value)(const MetricsRow&);
};
const std::vector<Quantity>& quantities();

/// Values of `quantity` without warm-up iterations; with them where nothing else is left.
std::vector<double> measured(const std::vector<MetricsRow>& rows, const Quantity& quantity);

}  // namespace tessera::detail
