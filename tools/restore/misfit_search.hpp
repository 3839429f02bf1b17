// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <functional>

namespace restore {

/// The weight of a prior by the discrepancy principle (Morozov, Soviet Math. Dokl. 7, 1966): the
/// restored image leaves residuals as large as the noise.
struct FoundWeight {
  double weight = 0;
  int trials = 0;
  bool fits = false;  ///< the misfit is 1, nearly; else none of the weights tried had it
};

/// `misfit` restores with a weight and returns the mean of the squared residuals over the variance
/// of the noise; it rises with the weight. Begins at `first`, by factors of 4 until 1 lies between
/// two weights, and then between them, on logarithmic scales. Where no weight fits, it is `first`
/// again: the noise level or the operator is wrong then, and a weak prior would restore noise.
FoundWeight find_weight_of_misfit(double first, const std::function<double(double)>& misfit);

}  // namespace restore
