// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <functional>

namespace restore {

/// The weight of a prior that a search found.
struct FoundWeight {
  double weight = 0;
  int trials = 0;
  bool fits = false;  ///< what was looked for lies between weights that were tried
};

/// By the discrepancy principle (Morozov, Soviet Math. Dokl. 7, 1966): the restored image leaves
/// residuals as large as the noise, which smooths a little too much, as it has fitted some of it.
/// `misfit` restores with a weight and returns the mean of the squared residuals over the variance
/// of the noise; it rises with the weight. Begins at `first`, by factors of 4 until 1 lies between
/// two weights, and then between them, on logarithmic scales. Where no weight fits, it is `first`
/// again: the noise level or the operator is wrong then, and a weak prior would restore noise.
FoundWeight find_weight_of_misfit(double first, const std::function<double(double)>& misfit);

/// The weight with the least of `value`, which has one minimum but for small bumps. Begins at
/// `first`, by factors of 2 until the least lies between two others, and then halves the steps
/// twice, on a logarithmic scale. Where the least is at the end of what is tried, 1 / 128 or 128
/// times `first`, it is `first` again.
FoundWeight find_weight_of_least(double first, const std::function<double(double)>& value);

}  // namespace restore
